/** MinIO over a folder, as a place where contenders keep their objects. */
import {
  DeleteObjectsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { MiB } from '../domain/sizes.ts'
import { startMinio } from '../scripts/demo/servers.ts'

export interface S3Place {
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  /** Without a slash at its end. */
  readonly prefix: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** What is stored under a prefix. */
export interface Stored {
  readonly objects: number
  readonly mib: number
}

export interface S3Places extends AsyncDisposable {
  at(prefix: string): S3Place
  /** Of the whole bucket, or of one prefix; Cinder chooses its names itself. */
  stored(prefix?: string): Promise<Stored>
  remove(prefix: string): Promise<void>
}

export async function startS3Places(folder: string, signal: AbortSignal): Promise<S3Places> {
  const server = await startMinio(folder, signal)
  const { bucket, endpoint, accessKeyId, secretAccessKey } = server
  const region = 'us-east-1'
  const credentials = { accessKeyId, secretAccessKey }
  // A copy: the client writes into what it is given.
  const client = new S3Client({ endpoint, region, credentials: { ...credentials }, forcePathStyle: true })
  await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify(open(bucket)) }))
  const list = async function* (prefix: string) {
    for (let token: string | undefined, more = true; more;) {
      const page = await client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          ...(token && { ContinuationToken: token }),
        }),
      )
      yield page.Contents ?? []
      token = page.NextContinuationToken
      more = page.IsTruncated === true
    }
  }
  return {
    at: (prefix) => ({ endpoint, region, bucket, prefix, ...credentials }),
    stored: async (prefix = '') => {
      const sizes: number[] = []
      for await (const page of list(prefix)) sizes.push(...page.map(({ Size = 0 }) => Size))
      return { objects: sizes.length, mib: sizes.reduce((sum, size) => sum + size, 0) / MiB }
    },
    remove: async (prefix) => {
      for await (const page of list(prefix)) {
        const Objects = page.map(({ Key = '' }) => ({ Key }))
        if (Objects.length > 0)
          await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }))
      }
    },
    [Symbol.asyncDispose]: async () => {
      client.destroy()
      await server.stop()
    },
  }
}

/** The plain loop does without signatures: nobody can be faster. */
function open(bucket: string): unknown {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: ['*'] },
        Action: ['s3:GetObject', 's3:PutObject'],
        Resource: [`arn:aws:s3:::${bucket}/plain/*`],
      },
    ],
  }
}
