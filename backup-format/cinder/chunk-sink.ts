/** Where the bytes of objects go: into a volume, beside those of a volume, or nowhere. */
import type { BlockReader, BlockWriter, ByteRange, DeviceSpec } from '../../block-io/device.ts'
import { openReader } from '../../block-io/reader.ts'
import { openWriter } from '../../block-io/writer.ts'
import { nonZeroRuns } from '../../block-io/zeroes.ts'

/** `bytes` are good until it resolves. */
export type ChunkSink = (
  bytes: Buffer,
  offset: number,
) => Promise<{ readonly movedBytes: number; readonly different: readonly ByteRange[] }>

/** A plain value, for threads. `skipZeroes`: the volume reads as zeroes, these are not written. */
export type SinkSpec =
  | { readonly kind: 'nowhere' }
  | { readonly kind: 'write'; readonly device: DeviceSpec; readonly skipZeroes: boolean }
  | { readonly kind: 'compare'; readonly device: DeviceSpec }

export async function openSink(spec: SinkSpec): Promise<{ sink: ChunkSink; close: () => Promise<void> }> {
  if (spec.kind === 'nowhere') return { sink: nowhere, close: async () => {} }
  if (spec.kind === 'compare') {
    const reader = await openReader(spec.device)
    return { sink: comparing(reader), close: () => reader.close() }
  }
  const writer = await openWriter(spec.device)
  return { sink: writing(writer, spec.skipZeroes), close: () => writer.close() }
}

const nowhere: ChunkSink = async (bytes) => ({ movedBytes: bytes.length, different: [] })

function comparing(reader: BlockReader): ChunkSink {
  return async (bytes, offset) => {
    const found = Buffer.allocUnsafe(bytes.length)
    await reader.read(found, offset)
    const different = found.equals(bytes) ? [] : [{ offset, length: bytes.length }]
    return { movedBytes: bytes.length, different }
  }
}

function writing(writer: BlockWriter, skipZeroes: boolean): ChunkSink {
  return async (bytes, offset) => {
    let movedBytes = 0
    let at = 0
    const clear = async (to: number) => {
      if (to > at && !skipZeroes) await writer.writeZeroes(offset + at, to - at)
    }
    for (const run of nonZeroRuns(bytes)) {
      const from = run.byteOffset - bytes.byteOffset
      await clear(from)
      await writer.write(run, offset + from)
      movedBytes += run.length
      at = from + run.length
    }
    await clear(bytes.length)
    return { movedBytes, different: [] }
  }
}
