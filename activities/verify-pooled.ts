import pMap from 'p-map'
import type { VerifyFindings, VerifyRequest } from '../backup-format/verify-request.ts'
import { openSource } from '../block-io/copy-source.ts'
import type { BlockReader, ByteRange } from '../block-io/device.ts'
import { openReader } from '../block-io/reader.ts'
import { LIMITS } from '../domain/limits.ts'
import { formatBytes } from '../domain/sizes.ts'
import type { ActivityDependencies } from './dependencies.ts'
import { poolOf, refOf } from './pooled-backups.ts'

interface VerifiedBackup {
  readonly backupId: string
  readonly target: string
  readonly sizeBytes: number
}

/**
 * A snapshot in a pool has no hashes of its own: the cluster has those of its objects, and looks at them when they are read. So `content`
 * reads everything, and `restore` compares it with the volume.
 */
export async function verifyInPool(
  deps: ActivityDependencies,
  input: VerifiedBackup,
  request: VerifyRequest,
): Promise<VerifyFindings> {
  const ref = await refOf(deps, input)
  const found = await poolOf(deps, input).findBackup(ref)
  if (found === undefined) return damaged('Its snapshot is not there')
  if (found.sizeBytes !== input.sizeBytes)
    return damaged(`Its snapshot has ${found.sizeBytes} bytes, and not ${input.sizeBytes}`)
  if (request.level === 'presence') return { ...CLEAN, checkedChunks: 1 }
  const { signal } = request
  const device = await poolOf(deps, input).openBackup(ref)
  const reader = await openSource({ source: device, signal, socketDirectory: deps.runFolder })
  try {
    if (request.volume === undefined) return await readThrough(reader, undefined, request)
    const volume = await openReader(request.volume)
    try {
      return await readThrough(reader, volume, request)
    } finally {
      await volume.close()
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    await reader.close()
  }
}

const CLEAN: VerifyFindings = {
  ...{ checkedChunks: 0, damagedChunks: 0, damagedPages: 0, healedChunks: 0, healedPages: 0 },
}

function damaged(damage: string): VerifyFindings {
  return { ...CLEAN, checkedChunks: 1, damagedChunks: 1, damage }
}

/** Chunk by chunk, with what the volume has there. */
async function readThrough(
  backup: BlockReader,
  volume: BlockReader | undefined,
  { resumeFromBytes, pace, onProgress, onCheckpoint, signal }: VerifyRequest,
): Promise<VerifyFindings> {
  const { sizeBytes } = backup
  const differing: ByteRange[] = []
  let [checkedChunks, movedBytes, doneBytes] = [0, 0, resumeFromBytes]
  const look = async (chunk: ByteRange) => {
    await pace(chunk.length)
    signal.throwIfAborted()
    if (!(await isSame(backup, volume, chunk))) differing.push(chunk)
    checkedChunks += 1
    movedBytes += chunk.length
  }
  for await (const chunks of spansOf(backup, { from: resumeFromBytes, everything: volume !== undefined })) {
    await pMap(chunks.ranges, look, { concurrency: LIMITS.backupThreads })
    doneBytes = chunks.end
    onProgress({ doneBytes, totalBytes: sizeBytes, movedBytes })
    // What differs is told at the end, by the attempt that saw it.
    if (differing.length === 0) await onCheckpoint(doneBytes)
  }
  const [first] = differing
  if (first === undefined) return { ...CLEAN, checkedChunks }
  const damage = `The volume differs from byte ${first.offset} on (${formatBytes(first.length)} were compared)`
  return { ...CLEAN, checkedChunks, damagedChunks: differing.length, damage }
}

async function isSame(
  backup: BlockReader,
  volume: BlockReader | undefined,
  { offset, length }: ByteRange,
): Promise<boolean> {
  const bytes = Buffer.allocUnsafe(length)
  await backup.read(bytes, offset)
  if (volume === undefined) return true
  const others = Buffer.allocUnsafe(length)
  await volume.read(others, offset)
  return bytes.equals(others)
}

/** What is read between two checkpoints. Without `everything` holes are not. */
async function* spansOf(
  reader: BlockReader,
  { from, everything }: { from: number; everything: boolean },
): AsyncGenerator<{ ranges: ByteRange[]; end: number }> {
  for (let start = from; start < reader.sizeBytes;) {
    const end = Math.min(reader.sizeBytes, start + LIMITS.segmentBytes)
    const extents = everything
      ? [{ offset: start, length: end - start }]
      : (await reader.extents(start, end - start)).filter(({ kind }) => kind === 'data')
    yield { ranges: extents.flatMap((extent) => [...chunksOf(extent)]), end }
    start = end
  }
}

function* chunksOf({ offset, length }: ByteRange): Generator<ByteRange> {
  for (let done = 0; done < length; done += LIMITS.chunkBytes)
    yield { offset: offset + done, length: Math.min(LIMITS.chunkBytes, length - done) }
}
