/** The objects of a repository, wherever it is kept; read only. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import type { S3Place, TargetPlace } from '../installation.ts'

export interface RepositoryObjects {
  /** Key -> bytes stored. */
  list(): Promise<Map<string, number>>
  get(key: string): Promise<Buffer>
  /** What writers left half done: temporary files, multipart uploads. */
  leftovers(): Promise<string[]>
  close(): void
}

export function openObjects(place: TargetPlace): RepositoryObjects {
  return place.kind === 'directory' ? directoryObjects(place.path) : s3Objects(place)
}

function directoryObjects(root: string): RepositoryObjects {
  const isOwn = (key: string) => key.startsWith('.')
  return {
    list: async () => {
      const found = new Map<string, number>()
      for (const path of await filesBelow(root)) {
        const key = relative(root, path).split(sep).join('/')
        if (!isOwn(key)) found.set(key, (await stat(path)).size)
      }
      return found
    },
    get: (key) => readFile(join(root, key)),
    // Lock files are empty and stay; anything else below a dot is a file that somebody was writing.
    leftovers: async () => {
      const found: string[] = []
      for (const path of await filesBelow(root)) {
        const key = relative(root, path)
        const isLock = key.startsWith(`.lock${sep}`) && (await stat(path)).size === 0
        if (isOwn(key) && !isLock) found.push(key)
      }
      return found
    },
    close: () => {},
  }
}

/** Every file below a folder; none where the folder does not exist. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  })
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
}

function s3Objects(place: S3Place): RepositoryObjects {
  const { endpoint, region, accessKeyId, secretAccessKey, bucket: Bucket, prefix: Prefix } = place
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  return {
    list: async () => {
      const found = new Map<string, number>()
      let ContinuationToken: string | undefined
      do {
        const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }))
        for (const { Key = '', Size = 0 } of page.Contents ?? []) found.set(Key.slice(Prefix.length), Size)
        ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined
      } while (ContinuationToken !== undefined)
      return found
    },
    get: async (key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: `${Prefix}${key}` }))
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    },
    leftovers: async () => {
      const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }))
      return (Uploads ?? []).map(({ Key }) => `multipart upload of ${Key}`)
    },
    close: () => client.destroy(),
  }
}
