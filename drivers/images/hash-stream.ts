/** What every store does with an upload: gather its pieces into blocks, hash them, and save them, all at the same time. */
import { addAbortListener } from 'node:events'
import type { Readable } from 'node:stream'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { formatBytes } from '../../domain/sizes.ts'
import { createStreamHasher } from '../../image-formats/hashing.ts'
import type { StagedBytes, StageProgress } from './driver.ts'

/** Shared with the threads that hash. */
export type Block = Uint8Array<SharedArrayBuffer>

/** `save` gets the blocks one after another; once it resolves, its block is used again. */
export async function hashStream(
  source: Readable,
  { sizeMaxBytes, signal, onBytes }: StageProgress,
  save: (block: Block, position: number) => Promise<void>,
): Promise<StagedBytes> {
  signal.throwIfAborted()
  using _listener = addAbortListener(signal, () => source.destroy(asError(signal.reason)))
  const hasher = createStreamHasher()
  let sizeBytes = 0
  const work = async (block: Block) => {
    const position = sizeBytes
    sizeBytes += block.length
    await Promise.all([save(block, position), hasher.update(block)])
    onBytes?.(sizeBytes)
  }
  let saving = Promise.resolve()
  try {
    for await (const block of inBlocks(source, sizeMaxBytes)) {
      await saving
      saving = work(block)
      // A full disk ends a slow upload at once, not with its next block.
      saving.catch((error: unknown) => source.destroy(asError(error)))
    }
    await saving
    return { sizeBytes, ...(await hasher.digest()) }
  } catch (error) {
    // The last block may still be on its way to its place and to the threads.
    await Promise.allSettled([saving])
    hasher.discard()
    throw error
  }
}

export function newBlock(): Block {
  return new Uint8Array(new SharedArrayBuffer(LIMITS.uploadBlockBytes))
}

/** Gathers small pieces into two blocks in turn: one is filled while the consumer still works on the other. */
async function* inBlocks(source: Readable, sizeMaxBytes: number): AsyncGenerator<Block> {
  const blocks = [newBlock(), newBlock()] as const
  let [block] = blocks
  let filled = 0
  let total = 0
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    total += chunk.length
    if (total > sizeMaxBytes) {
      throw new DriverError('invalid', `Expected at most ${formatBytes(sizeMaxBytes)}, got more`)
    }
    for (let taken = 0; taken < chunk.length;) {
      const piece = chunk.subarray(taken, taken + block.length - filled)
      block.set(piece, filled)
      filled += piece.length
      taken += piece.length
      if (filled < block.length) continue
      yield block
      block = block === blocks[0] ? blocks[1] : blocks[0]
      filled = 0
    }
  }
  if (filled > 0) yield block.subarray(0, filled)
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('The upload was cancelled', { cause: reason })
}
