import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { nonZeroRuns } from '../../../block-io/zeroes.ts'
import { createStreamHasher } from '../../../image-formats/hashing.ts'
import type { StagedBytes, StageProgress } from '../driver.ts'
import { type Block, hashStream, newBlock } from '../hash-stream.ts'

/**
 * Writes a stream to a new file, flushed, and hashes it on the way. Zeroes become holes. On failure the file stays for the caller
 * to remove.
 */
export async function writeHashed(
  path: string,
  source: Readable,
  progress: StageProgress,
): Promise<StagedBytes> {
  progress.signal.throwIfAborted()
  await using handle = await open(path, 'wx')
  const staged = await hashStream(source, progress, (block, position) =>
    writeSparsely(handle, block, position),
  )
  // It may end in a hole.
  await handle.truncate(staged.sizeBytes)
  await handle.sync()
  return staged
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
