import { pMapIterable } from 'p-map'
import { LIMITS } from '../domain/limits.ts'
import type { BlockReader, Extent } from './device.ts'
import { extentsFrom } from './extents.ts'

export interface ContentOptions {
  readonly signal: AbortSignal
  /** Called with the length of each piece that was really read: holes are not. */
  readonly onRead?: (bytes: number) => void
  /** Resolves when so many bytes may be read. */
  readonly pace?: (bytes: number) => Promise<void>
  /** `start` inclusive, `end` exclusive; default: everything. */
  readonly range?: { readonly start: number; readonly end: number }
}

/** The content from the first byte to the last, zeroes included, some pieces read ahead. Pieces must not be changed. */
export function contentOf(
  reader: BlockReader,
  { signal, onRead, pace, range = { start: 0, end: reader.sizeBytes } }: ContentOptions,
): AsyncIterable<Uint8Array> {
  const zeroes = Buffer.alloc(LIMITS.copyPieceBytes)
  const read = async ({ offset, length, kind }: Extent) => {
    signal.throwIfAborted()
    if (kind === 'zero') return zeroes.subarray(0, length)
    await pace?.(length)
    const bytes = Buffer.allocUnsafeSlow(length)
    await reader.read(bytes, offset)
    onRead?.(length)
    return bytes
  }
  return pMapIterable(piecesOf(reader, range), read, {
    concurrency: LIMITS.streamPiecesAhead,
    backpressure: LIMITS.streamPiecesAhead,
  })
}

async function* piecesOf(
  reader: BlockReader,
  { start, end }: { start: number; end: number },
): AsyncGenerator<Extent> {
  for await (const { offset, length, kind } of extentsFrom(reader, start, end)) {
    for (let done = 0; done < length; done += LIMITS.copyPieceBytes) {
      yield { offset: offset + done, length: Math.min(LIMITS.copyPieceBytes, length - done), kind }
    }
  }
}
