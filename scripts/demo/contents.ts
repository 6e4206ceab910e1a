/** Content and its hashes, by other means than the product's own, so that one can check the other. */
import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { MiB } from '../../domain/sizes.ts'

/** SHA-256 (hex) of a file's bytes, followed by zeroes up to `paddedToBytes`. */
export async function sha256OfFile(
  path: string,
  signal: AbortSignal,
  paddedToBytes?: number,
): Promise<string> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const bytes of createReadStream(path, {
    highWaterMark: 4 * MiB,
    signal,
  }) as AsyncIterable<Buffer>) {
    hash.update(bytes)
    sizeBytes += bytes.length
  }
  const zeroes = Buffer.alloc(MiB)
  while (paddedToBytes !== undefined && sizeBytes < paddedToBytes) {
    const piece = zeroes.subarray(0, Math.min(zeroes.length, paddedToBytes - sizeBytes))
    hash.update(piece)
    sizeBytes += piece.length
  }
  return hash.digest('hex')
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
