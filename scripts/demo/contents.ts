/** Content and its hashes, by other means than the product's own, so that one can check the other. */
import { createCipheriv, createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { MiB } from '../../domain/sizes.ts'

/** SHA-256 (hex) of a file's bytes. */
export async function sha256OfFile(path: string, signal: AbortSignal): Promise<string> {
  return (await hashOfFile(path, signal)).digest('hex')
}

/** The same with zeroes behind the bytes, up to each of the sizes, which ascend. */
export async function sha256OfPaddedFile<const Sizes extends readonly number[]>(
  path: string,
  sizesBytes: Sizes,
  signal: AbortSignal,
): Promise<{ [Index in keyof Sizes]: string }> {
  const hash = await hashOfFile(path, signal)
  let at = (await stat(path)).size
  return sizesBytes.map((sizeBytes) => {
    addZeroes(hash, sizeBytes - at)
    at = sizeBytes
    return hash.copy().digest('hex')
  }) as { [Index in keyof Sizes]: string }
}

async function hashOfFile(path: string, signal: AbortSignal): Promise<Hash> {
  const hash = createHash('sha256')
  const bytes = createReadStream(path, { highWaterMark: 4 * MiB, signal })
  for await (const piece of bytes as AsyncIterable<Buffer>) hash.update(piece)
  return hash
}

function addZeroes(hash: Hash, count: number): void {
  const zeroes = Buffer.alloc(MiB)
  for (let left = count; left > 0; left -= zeroes.length) {
    hash.update(zeroes.subarray(0, Math.min(zeroes.length, left)))
  }
}

/** Incompressible bytes, the same for the same seed on every machine. */
export function pseudoRandom(lengthBytes: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(lengthBytes))
}

/** What a sparse file takes on disk. */
export async function allocatedBytes(path: string): Promise<number> {
  const { blocks } = await stat(path)
  return blocks * 512
}
