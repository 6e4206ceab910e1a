import { addAbortListener } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { nonZeroRuns } from '../../../block-io/zeroes.ts'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { formatBytes } from '../../../domain/sizes.ts'
import { createStreamHasher } from '../../../image-formats/hashing.ts'
import type { StagedBytes, StageProgress } from '../driver.ts'

type Block = Uint8Array<SharedArrayBuffer>

/**
 * Writes a stream to a new file, flushed, and hashes it on the way. Zeroes become holes. On failure the file stays for the caller
 * to remove.
 */
export async function writeHashed(
  path: string,
  source: Readable,
  { sizeMaxBytes, signal, onBytes }: StageProgress,
): Promise<StagedBytes> {
  signal.throwIfAborted()
  using _listener = addAbortListener(signal, () => source.destroy(asError(signal.reason)))
  await using handle = await open(path, 'wx')
  const hasher = createStreamHasher()
  let sizeBytes = 0
  const save = async (block: Block) => {
    const position = sizeBytes
    sizeBytes += block.length
    await Promise.all([writeSparsely(handle, block, position), hasher.update(block)])
    onBytes?.(sizeBytes)
  }
  let saving = Promise.resolve()
  try {
    for await (const block of inBlocks(source, sizeMaxBytes)) {
      await saving
      saving = save(block)
      // A full disk ends a slow upload at once, not with its next block.
      saving.catch((error: unknown) => source.destroy(asError(error)))
    }
    await saving
    // It may end in a hole.
    await handle.truncate(sizeBytes)
    await handle.sync()
    return { sizeBytes, ...(await hasher.digest()) }
  } catch (error) {
    // The last block may still be on its way to the file and to the threads.
    await Promise.allSettled([saving])
    hasher.discard()
    throw error
  }
}

/** Lets `build` write a new file, flushes it, and hashes what is in it. On failure the file stays for the caller to remove. */
export async function buildHashed(
  path: string,
  build: (path: string) => Promise<void>,
  { signal, onBytes }: Omit<StageProgress, 'sizeMaxBytes'>,
): Promise<StagedBytes> {
  signal.throwIfAborted()
  // Opened before anything is written: the flush of this descriptor then reports every write that failed since.
  await using handle = await open(path, 'wx+')
  await build(path)
  await handle.sync()
  const hasher = createStreamHasher()
  const block = newBlock()
  try {
    for (let sizeBytes = 0; ; onBytes?.(sizeBytes)) {
      signal.throwIfAborted()
      const { bytesRead } = await handle.read(block, 0, block.length, sizeBytes)
      if (bytesRead === 0) return { sizeBytes, ...(await hasher.digest()) }
      await hasher.update(block.subarray(0, bytesRead))
      sizeBytes += bytesRead
    }
  } catch (error) {
    hasher.discard()
    throw error
  }
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

function newBlock(): Block {
  return new Uint8Array(new SharedArrayBuffer(LIMITS.uploadBlockBytes))
}

async function writeSparsely(handle: FileHandle, block: Block, position: number): Promise<void> {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.length)
  for (const run of nonZeroRuns(bytes)) {
    await writeFully(handle, run, position + run.byteOffset - bytes.byteOffset)
  }
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('The upload was cancelled', { cause: reason })
}
