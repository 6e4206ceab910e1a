/** node:crypto for the code under simulation: what is random there comes from the seed here. */
import { hash } from 'node:crypto'
import { Random } from './random.ts'

export * from 'node:crypto'

let random = new Random(0)
/** Few different things are hashed, each many times. */
const hashes = new Map<string, Buffer>()

export function reseed(seed: number): void {
  random = new Random(seed)
  hashes.clear()
}

export function randomFillSync(bytes: Buffer, offset = 0, size = bytes.length - offset): Buffer {
  for (let at = offset; at < offset + size; at += 1) bytes[at] = random.below(256)
  return bytes
}

export function randomBytes(size: number): Buffer {
  return randomFillSync(Buffer.alloc(size))
}

export function randomUUID(): string {
  const hex = randomBytes(16).toString('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join('-')
}

/** Ids have to be the same for the same bytes, no more; setting up a real HMAC takes a tenth of all time. */
export function createHmac(_algorithm: string, key: Uint8Array) {
  return {
    update: (data: Uint8Array | string) => ({
      digest: (encoding?: 'hex') => {
        const bytes = Buffer.concat([key, Buffer.from(data)])
        const digest = hashed(bytes)
        return encoding === undefined ? Buffer.from(digest) : digest.toString(encoding)
      },
    }),
  }
}

function hashed(bytes: Buffer): Buffer {
  const name = bytes.toString('latin1')
  const known = hashes.get(name)
  if (known !== undefined) return known
  const digest = hash('sha256', bytes, 'buffer')
  hashes.set(name, digest)
  return digest
}
