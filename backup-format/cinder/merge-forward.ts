/** Before a backup is deleted, each one that builds on it gets what it needs of it, and builds on its parent instead. */
import pMap from 'p-map'
import { LIMITS } from '../../domain/limits.ts'
import { createLine } from '../line.ts'
import { type CinderBackup, readBackup, readChildren } from './backup.ts'
import { type ChunkObject, serializeMetadata } from './metadata.ts'
import { type BackupLocation, chunkName, chunkNumber, metadataKey } from '../../domain/cinder-names.ts'
import { readChunk } from './read-chunk.ts'
import type { CinderStore } from './store.ts'
import { resolveMap } from './volume-map.ts'

export interface MergeRequest {
  readonly location: BackupLocation
  readonly signal: AbortSignal
  readonly pace?: (bytes: number) => Promise<void>
  readonly onProgress?: (progress: { doneBytes: number; totalBytes: number; movedBytes: number }) => void
}

/**
 * A child keeps its own objects and gets copies of the deleted one's, which come before them in the list: Cinder writes in the order
 * of the list, so what the child has covers them. Copies of what the child covers as a whole are left out. The metadata are replaced
 * last, in one step: until then the child restores as before (Cinder itself refuses it while there are more objects than it names),
 * and afterwards without the other. May be repeated after a crash at any point.
 */
export async function mergeForward(store: CinderStore, request: MergeRequest): Promise<void> {
  const children = await readChildren(store, request.location, request.signal)
  // Nothing builds on it any more: it may be half deleted already.
  if (children.length === 0) return
  const backup = await readBackup(store, request.location, request.signal)
  for (const child of children) await mergeInto(store, request, backup, child)
}

/** Undo of a merge that was not finished: what was copied to a child that does not name it yet, for which Cinder refuses the child. */
export async function abortMerge(store: CinderStore, location: BackupLocation): Promise<void> {
  for (const child of await readChildren(store, location)) await removeUnnamed(store, child)
}

async function mergeInto(
  store: CinderStore,
  request: MergeRequest,
  backup: CinderBackup,
  child: CinderBackup,
): Promise<void> {
  const { parentId } = backup.metadata
  const needed = neededObjects(backup, child)
  await removeUnnamed(store, child)
  const names = freeNames(child, needed.length)
  const totalBytes = needed.reduce((sum, { length }) => sum + length, 0)
  let doneBytes = 0
  const inWork = createLine(LIMITS.cinderChunksInWork)
  const copy = async (object: ChunkObject, index: number): Promise<ChunkObject> => {
    await request.pace?.(object.length)
    const copied = { ...object, name: names[index] ?? '' }
    await copyObject(
      store,
      { object, from: backup.location, to: child.location, name: copied.name },
      request.signal,
    )
    doneBytes += object.length
    request.onProgress?.({ doneBytes, totalBytes, movedBytes: doneBytes })
    return copied
  }
  try {
    const inLine = (object: ChunkObject, index: number) => inWork.pass(() => copy(object, index))
    const copies = await pMap(needed, inLine, {
      concurrency: LIMITS.cinderChunksInWork,
      signal: request.signal,
    })
    const all = [...copies, ...child.metadata.objects]
    const metadata = serializeMetadata(child.metadata.raw, { parentId, objects: all })
    await store.put(metadataKey(child.location), metadata, { signal: request.signal })
  } finally {
    await inWork.empty()
  }
}

/** Those of which any byte shows through the child, in their order. */
function neededObjects(backup: CinderBackup, child: CinderBackup): ChunkObject[] {
  const place = ({ location, metadata }: CinderBackup) =>
    metadata.objects.map((object) => ({ ...object, location }))
  const all = [...place(backup), ...place(child)]
  const end = all.reduce((max, { offset, length }) => Math.max(max, offset + length), 0)
  const shown = new Set(resolveMap(all, end).map(({ object }) => object.name))
  return backup.metadata.objects.filter(({ name }) => shown.has(name))
}

async function removeUnnamed(store: CinderStore, { location, metadata }: CinderBackup): Promise<void> {
  const { folder, prefix } = location
  const named = new Set(metadata.objects.map(({ name }) => name))
  for await (const { key } of store.list(`${folder}${prefix}-`))
    if (!named.has(key.slice(folder.length))) await store.delete(key)
}

/** Above all that the child names: the same ones in each attempt. */
function freeNames({ location, metadata }: CinderBackup, count: number): string[] {
  const last = metadata.objects.reduce((max, { name }) => Math.max(max, chunkNumber(location, name) ?? 0), 0)
  return Array.from({ length: count }, (_, index) => chunkName(location, last + 1 + index))
}

interface Copy {
  readonly object: ChunkObject
  readonly from: BackupLocation
  readonly to: BackupLocation
  readonly name: string
}

/** Its md5 is checked first, so that damage does not spread from a backup that is about to be gone. */
async function copyObject(
  store: CinderStore,
  { object, from, to, name }: Copy,
  signal: AbortSignal,
): Promise<void> {
  for await (const _ of readChunk(store, { ...object, location: from }, LIMITS.cinderPieceBytes, signal));
  await store.copy(`${from.folder}${object.name}`, `${to.folder}${name}`)
}
