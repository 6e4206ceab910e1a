/** A bucket as Cinder's S3 driver fills it; over S3 also what its Swift and GCS drivers wrote. */
import { Readable } from 'node:stream'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { CinderStore, ReadOptions, StoreBody } from '../../backup-format/cinder/store.ts'
import { createClient, type S3Spec } from '../backups/s3/client.ts'
import { asDriverError, isMissing } from '../backups/s3/errors.ts'
import { withRetries } from '../backups/s3/retries.ts'

export function openS3Store(spec: S3Spec): CinderStore {
  const client = createClient(spec)
  const prefix = spec.prefix === '' || spec.prefix.endsWith('/') ? spec.prefix : `${spec.prefix}/`
  const object = (key: string) => ({ Bucket: spec.bucket, Key: `${prefix}${key}` })
  return {
    kind: 's3',
    list: (wanted) => list(client, spec.bucket, prefix, wanted),
    get: (key, options) => get(client, object(key), options ?? {}),
    put: async (key, body, { signal } = {}) => {
      await withRetries(signal, () =>
        client.send(new PutObjectCommand({ ...object(key), ...payload(body) }), abortable(signal)),
      )
    },
    copy: async (from, to) => {
      // A path of its own: what is not a plain character is escaped, slashes are not.
      const source = `${spec.bucket}/${prefix}${from}`.split('/').map(encodeURIComponent).join('/')
      await withRetries(undefined, () =>
        client.send(new CopyObjectCommand({ ...object(to), CopySource: source })),
      )
    },
    delete: async (key) => {
      await withRetries(undefined, async () => {
        try {
          await client.send(new DeleteObjectCommand(object(key)))
        } catch (error) {
          if (!isMissing(error)) throw error
        }
      })
    },
    close: async () => client.destroy(),
  }
}

async function* list(
  client: S3Client,
  bucket: string,
  prefix: string,
  wanted: string,
): AsyncGenerator<{ key: string; sizeBytes: number }> {
  let token: string | undefined
  do {
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: `${prefix}${wanted}`,
      ...(token !== undefined && { ContinuationToken: token }),
    })
    const page = await withRetries(undefined, () => client.send(command))
    for (const { Key, Size = 0 } of page.Contents ?? [])
      if (Key !== undefined) yield { key: Key.slice(prefix.length), sizeBytes: Size }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined
  } while (token !== undefined)
}

/** A stream that breaks off goes to whoever reads it as `transient`: only the reader knows what it had already. */
async function get(
  client: S3Client,
  object: { Bucket: string; Key: string },
  { range, signal }: ReadOptions,
): Promise<Readable | undefined> {
  if (range !== undefined && range[0] >= range[1]) return Readable.from([])
  const part = range === undefined ? {} : { Range: `bytes=${range[0]}-${range[1] - 1}` }
  return withRetries(signal, async () => {
    try {
      const { Body } = await client.send(new GetObjectCommand({ ...object, ...part }), abortable(signal))
      return Readable.from(pieces(Body, signal))
    } catch (error) {
      if (isMissing(error)) return undefined
      if (nameOf(error) === 'InvalidRange') return Readable.from([])
      throw error
    }
  })
}

async function* pieces(body: unknown, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  if (!(body instanceof Readable)) return
  try {
    yield* body as AsyncIterable<Buffer>
  } catch (error) {
    signal?.throwIfAborted()
    throw asDriverError(error)
  } finally {
    body.destroy()
  }
}

function payload(body: StoreBody): { Body: Uint8Array | Readable; ContentLength: number } {
  if (body instanceof Uint8Array) return { Body: body, ContentLength: body.byteLength }
  return { Body: body.open(), ContentLength: body.sizeBytes }
}

function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}
