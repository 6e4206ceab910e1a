/** A repository in a bucket of anything that speaks S3 with conditional writes. */
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { release } from '../../../backup-format/release.ts'
import type { BackupTarget, StoredObject } from '../../../backup-format/target.ts'
import { DriverError } from '../../../domain/errors.ts'
import { checkKey, checkPrefix } from '../object-key.ts'
import { createClient, type S3Spec } from './client.ts'
import { createDeleteMany } from './delete-many.ts'
import { isConditionFailed, isMissing } from './errors.ts'
import { withRetries } from './retries.ts'

export function openS3Target(spec: S3Spec): BackupTarget {
  const client = createClient(spec)
  const bucket = new Bucket(client, spec)
  return {
    kind: 's3',
    putIfAbsent: async (key, bytes, { signal } = {}) => {
      const version = await bucket.put(key, bytes, { IfNoneMatch: '*' }, signal)
      return version === 'conflict' ? 'exists' : 'created'
    },
    replace: async (key, bytes, version) => bucket.put(key, bytes, { IfMatch: version }),
    get: (key, options) => bucket.get(key, options),
    list: (prefix) => bucket.list(prefix),
    delete: (key) => bucket.delete(key),
    deleteMany: (keys, { signal } = {}) => bucket.deleteMany(keys, signal),
    close: async () => client.destroy(),
  }
}

type Condition = { readonly IfNoneMatch: '*' } | { readonly IfMatch: string }

class Bucket {
  readonly #client: S3Client
  readonly #name: string
  readonly #prefix: string
  readonly #deleteMany: ReturnType<typeof createDeleteMany>

  constructor(client: S3Client, { bucket, prefix }: S3Spec) {
    this.#client = client
    this.#name = bucket
    this.#prefix = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
    this.#deleteMany = createDeleteMany(client, bucket)
  }

  async put(
    key: string,
    bytes: Uint8Array,
    condition: Condition,
    signal?: AbortSignal,
  ): Promise<{ version: string } | 'conflict'> {
    const body = { Body: bytes, ContentLength: bytes.byteLength, ChecksumCRC32: checksum(bytes) }
    const input = { ...this.#object(key), ...body, ...condition }
    const settled = async (): Promise<{ version: string } | 'conflict' | undefined> => {
      const current = await this.get(key, { ...(signal && { signal }) })
      if (isMet(condition, current)) return undefined
      // Our own earlier attempt may have taken effect, and only its answer was lost.
      return current?.bytes.equals(bytes) === true ? { version: current.version } : 'conflict'
    }
    return withRetries(signal, async (attempt) => {
      // Servers refuse early and hang up while the body is still under way, so that the refusal may get lost every time.
      const earlier = attempt === 1 ? undefined : await settled()
      if (earlier !== undefined) return earlier
      try {
        const { ETag = '' } = await this.#client.send(new PutObjectCommand(input), abortable(signal))
        return { version: ETag }
      } catch (error) {
        // S3 answers a condition on an object that is gone with 404.
        if (!isConditionFailed(error) && !isMissing(error)) throw error
        return attempt === 1 ? 'conflict' : ((await settled()) ?? 'conflict')
      }
    })
  }

  async get(
    key: string,
    { signal, into }: { signal?: AbortSignal; into?: Buffer } = {},
  ): Promise<StoredObject | undefined> {
    return withRetries(signal, async () => {
      try {
        const command = new GetObjectCommand(this.#object(key))
        const { Body, ContentLength = 0, ETag = '' } = await this.#client.send(command, abortable(signal))
        return { bytes: await readBody(Body, ContentLength, into), version: ETag }
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    })
  }

  async *list(prefix: string): AsyncGenerator<{ key: string; sizeBytes: number }> {
    checkPrefix(prefix)
    let token: string | undefined
    do {
      const page = await withRetries(undefined, () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#name,
            Prefix: `${this.#prefix}${prefix}`,
            ...(token !== undefined && { ContinuationToken: token }),
          }),
        ),
      )
      for (const { Key, Size = 0 } of page.Contents ?? []) {
        if (Key !== undefined) yield { key: Key.slice(this.#prefix.length), sizeBytes: Size }
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  async delete(key: string): Promise<void> {
    await withRetries(undefined, async () => {
      try {
        await this.#client.send(new DeleteObjectCommand(this.#object(key)))
      } catch (error) {
        if (!isMissing(error)) throw error
      }
    })
  }

  async deleteMany(keys: readonly string[], signal?: AbortSignal): Promise<{ locked: string[] }> {
    const { locked } = await this.#deleteMany(
      keys.map((key) => this.#object(key).Key),
      signal,
    )
    return { locked: locked.map((name) => name.slice(this.#prefix.length)) }
  }

  #object(key: string): { Bucket: string; Key: string } {
    checkKey(key)
    return { Bucket: this.#name, Key: `${this.#prefix}${key}` }
  }
}

function isMet(condition: Condition, current: StoredObject | undefined): boolean {
  return 'IfMatch' in condition ? current?.version === condition.IfMatch : current === undefined
}

/** As S3 has it: base64 of big-endian bytes. A body that does not have it is refused. */
function checksum(bytes: Uint8Array): string {
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32(bytes))
  return crc.toString('base64')
}

/** Into one buffer: joining pieces would take the memory twice. As events: an iterator takes twice the time. */
async function readBody(body: unknown, length: number, into?: Buffer): Promise<Buffer> {
  const fits = into !== undefined && length <= into.byteLength
  const bytes = fits ? into.subarray(0, length) : Buffer.allocUnsafeSlow(length)
  let filled = 0
  if (body instanceof Readable) {
    body.on('data', (piece: Buffer) => {
      filled += piece.copy(bytes, filled)
      release(piece)
    })
    await finished(body)
  }
  if (filled === length) return bytes
  throw new DriverError(
    'transient',
    `Expected an object of ${length} bytes, the answer ended after ${filled}`,
  )
}

function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal }
}
