import { mkdir, opendir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DriverError } from '../../../domain/errors.ts'
import type { Inventory, StoredKey, StoredThing } from '../../inventory.ts'
import { asDriverCall, ifPresent, syncPath } from './durable.ts'
import { checkedName, isId } from './ids.ts'
import { type Chain, type Layer, readChain } from './layers.ts'
import { type Layout, snapshotDirectory, snapshotOf, volumeDirectory } from './layout.ts'

/** Of a qcow2 header: where the backing file's name is (8 bytes) and how long it is (4 bytes). */
const BACKING_POINTER_OFFSET = 8
const BACKING_NAME_MAX = 1023

export function fileVolumeInventory(layout: Layout): Inventory {
  const aside = join(dirname(layout.volumes), 'aside')
  return {
    list: () => list(layout),
    find: (key) => asDriverCall(`look at ${key.kind} ${key.id}`, () => find(layout, key)),
    setAside: (key) =>
      asDriverCall(`set ${key.kind} ${key.id} aside`, async () => {
        const directory = directoryOf(layout, key)
        await mkdir(aside, { recursive: true })
        await ifPresent(rename(directory, join(aside, `${key.kind}.${basename(directory)}~${Date.now()}`)))
        for (const changed of [aside, dirname(directory)]) await syncPath(changed)
      }),
    removeTemporary: (id) =>
      asDriverCall(`remove ${id}`, () =>
        rm(join(layout.scratch, checkedName(id)), { recursive: true, force: true }),
      ),
  }
}

async function* list(layout: Layout): AsyncGenerator<StoredThing> {
  for await (const name of namesIn(layout.volumes)) {
    if (isId(name)) yield* found(layout, { kind: 'volume', id: name })
  }
  for await (const name of namesIn(layout.snapshots)) {
    const ref = snapshotOf(name)
    if (ref !== undefined)
      yield* found(layout, { kind: 'snapshot', id: ref.snapshotId, volumeId: ref.volumeId })
  }
  for await (const name of namesIn(layout.scratch)) yield* found(layout, { kind: 'temporary', id: name })
}

async function* namesIn(directory: string): AsyncGenerator<string> {
  const entries = await asDriverCall('list the backend', () => opendir(directory))
  for await (const { name } of entries) yield name
}

async function* found(layout: Layout, key: StoredKey): AsyncGenerator<StoredThing> {
  const thing = await asDriverCall(`look at ${key.kind} ${key.id}`, () => find(layout, key))
  if (thing !== undefined) yield thing
}

async function find(layout: Layout, key: StoredKey): Promise<StoredThing | undefined> {
  if (key.kind === 'temporary') return findTemporary(layout, key)
  const directory = directoryOf(layout, key)
  const itself = await ifPresent(stat(directory))
  if (itself === undefined) return undefined
  const owners = key.volumeId === undefined ? [key.id] : [key.id, key.volumeId]
  try {
    const chain = await readChain(directory)
    if (chain === undefined) return undefined
    const { mtimeMs } = await stat(chain.top.path)
    const gap = await gapIn(directory, chain)
    const changedAtMs = Math.max(itself.mtimeMs, mtimeMs)
    if (gap !== undefined) return { ...key, owners, changedAtMs, problem: gap }
    return { ...key, owners, changedAtMs, sizeBytes: chain.sizeBytes }
  } catch (error) {
    // Taken apart between two looks: not broken, but gone.
    if ((await ifPresent(stat(directory))) === undefined) return undefined
    if (!(error instanceof DriverError)) throw error
    return { ...key, owners, changedAtMs: itself.mtimeMs, problem: error.message }
  }
}

async function findTemporary(layout: Layout, key: StoredKey): Promise<StoredThing | undefined> {
  const itself = await ifPresent(stat(join(layout.scratch, checkedName(key.id))))
  if (itself === undefined) return undefined
  const owners = (key.id.split('~', 1)[0] ?? '').split('.').filter(isId)
  return { ...key, owners, changedAtMs: itself.mtimeMs }
}

/** A layer whose header names one that is not there. (Merging leaves such a name behind, see docs/file-backend.md.) */
async function gapIn(directory: string, { layers }: Chain): Promise<string | undefined> {
  const names = new Set(await readdir(directory))
  for (const layer of layers) {
    const backing = await backingNameOf(layer)
    if (backing !== undefined && !names.has(backing))
      return `Expected ${backing} under ${basename(layer.path)}, it is missing`
  }
  return undefined
}

async function backingNameOf({ path, format }: Layer): Promise<string | undefined> {
  if (format === 'raw') return undefined
  await using handle = await open(path, 'r')
  const pointer = Buffer.alloc(12)
  await handle.read(pointer, 0, pointer.length, BACKING_POINTER_OFFSET)
  const length = pointer.readUInt32BE(8)
  if (length === 0 || length > BACKING_NAME_MAX) return undefined
  const name = Buffer.alloc(length)
  await handle.read(name, 0, length, Number(pointer.readBigUInt64BE(0)))
  return name.toString('utf8')
}

function directoryOf(layout: Layout, { kind, id, volumeId = '' }: StoredKey): string {
  return kind === 'snapshot'
    ? snapshotDirectory(layout, { volumeId, snapshotId: id })
    : volumeDirectory(layout, id)
}
