import type { Readable } from 'node:stream'
import { DriverError } from '../../domain/errors.ts'
import type { CinderStore, ReadOptions } from './store.ts'

/** A whole small object, or a range of one. Larger than `maxBytes`: `corrupt`, since what it is for is never that large. */
export async function readObject(
  store: CinderStore,
  key: string,
  options: ReadOptions & { readonly maxBytes: number },
): Promise<Buffer | undefined> {
  const stream = await store.get(key, options)
  return stream === undefined ? undefined : collect(stream, key, options.maxBytes)
}

async function collect(stream: Readable, key: string, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of stream as AsyncIterable<Buffer>) {
    length += piece.length
    // Leaving the loop destroys the stream.
    if (length > maxBytes) {
      throw new DriverError('corrupt', `Expected ${key} to have at most ${maxBytes} bytes, it has more`)
    }
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
