/** Random lives of a volume and its backups, beside a model that is nothing but the bytes that each must have. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { BlockReader, ByteRange, Extent } from '../../block-io/device.ts'
import { abortBackup } from '../../backup-format/abort.ts'
import { collect } from '../../backup-format/collect.ts'
import { commitBackup } from '../../backup-format/commit.ts'
import { deleteBackup } from '../../backup-format/delete.ts'
import { listBackups, readCommitted } from '../../backup-format/record.ts'
import { createOrOpenRepository, registerDomain, type Repository } from '../../backup-format/repository.ts'
import { restoreBackup } from '../../backup-format/restore.ts'
import { uploadFrom } from '../../backup-format/upload.ts'
import { tempDir } from '../support/temp-dir.ts'
import { DOMAIN, keyring, uploadRequest } from './fixtures.ts'
import { MemoryTarget } from './memory-target.ts'
import {
  damage,
  damageOf,
  type DamagedWorld,
  explains,
  forgetHealed,
  heal,
  markedWith,
  neededKeys,
  soundRepository,
  verify,
} from './model-damage.ts'
import { contentOf } from './reachable.ts'

const SHAPE = { chunkBytes: 64, pageEntries: 3 }
const SEQUENCES = Number(process.env['VOLFLOW_MODEL_SEQUENCES'] ?? 2000)
const ACTIONS_MIN = 4
const ACTIONS_MAX = 24
const VOLUME_MAX_BYTES = 1024
/** Not a multiple of anything: chunks are touched in part. */
const STEP_BYTES = 40
/** Each of these comes more often: without backups and damage there is little to do for the others. */
const FREQUENT = ['backup', 'backup', 'backup', 'damage', 'damage', 'heal', 'heal', 'revert']
const KEPT_BY_PRUNE = 1
const BLOCK_BYTES = 32
/** One restore of so many goes through a file, which takes a flush. */
const RESTORES_PER_FILE = 8

/** Three numbers, from which each action takes what it needs. */
interface Choice {
  readonly x: number
  readonly y: number
  readonly z: number
}

interface World extends DamagedWorld {
  readonly path: string
  volume: Buffer
  readonly snapshots: Buffer[]
  /** Id -> the bytes it must restore to; oldest first. */
  readonly backups: Map<string, Buffer>
  made: number
}

/** False: there was nothing to do. */
type Done = boolean | void

/** Another action is another line. */
const ACTIONS: Readonly<Record<string, (world: World, choice: Choice) => Promise<Done> | Done>> = {
  write: (world, choice) => fill(world, choice, 1 + (choice.z % 255)),
  discard: (world, choice) => fill(world, choice, 0),
  extend: (world, { x }) => {
    const sizeBytes = Math.min(VOLUME_MAX_BYTES, world.volume.length + (x % 5) * STEP_BYTES)
    world.volume = Buffer.concat([world.volume, Buffer.alloc(sizeBytes - world.volume.length)])
  },
  snapshot: (world) => void world.snapshots.push(Buffer.from(world.volume)),
  revert: (world) => {
    const last = world.snapshots.at(-1)
    if (last === undefined) return false
    world.volume = Buffer.from(last)
    return true
  },
  backup: async (world, { x, y, z }) => {
    const source = [world.volume, ...world.snapshots].at(x % (1 + world.snapshots.length)) ?? world.volume
    const parents = [undefined, ...world.backups.keys()]
    await backUp(world, source, parents[y % parents.length], z % 2 === 0)
  },
  delete: async (world, { x }) => {
    const victim = [...world.backups.keys()][x % Math.max(1, world.backups.size)]
    if (victim === undefined) return false
    await remove(world, victim)
    return true
  },
  prune: async (world) => {
    const old = [...world.backups.keys()].slice(0, -KEPT_BY_PRUNE)
    for (const backupId of old) await remove(world, backupId)
    return old.length > 0
  },
  collect: async (world) => {
    const { repository, target, damaged } = world
    const needed = await neededKeys(world)
    const blobs = () => new Set([...target.objects.keys()].filter((key) => /\/[cs]\//.test(key)))
    const before = blobs()
    if ([...damaged.keys()].some((key) => key.includes('/s/') && needed.has(key))) {
      // What is needed cannot be told: nothing is deleted.
      await expect(collect(repository)).rejects.toSatisfy((error) => explains(world, error))
      expect(blobs()).toEqual(before)
      return
    }
    await collect(repository)
    for (const key of damaged.keys()) if (!needed.has(key)) damaged.delete(key)
    expect(new Set([...blobs(), ...damaged.keys()])).toEqual(needed)
  },
  damage: (world, choice) => damage(world, choice),
  verify: async (world, { x }) => {
    const [backupId] = await chosen(world, x)
    if (backupId === undefined) return false
    await verify(world, backupId)
    return true
  },
  heal: async (world, { x }) => {
    const [backupId, bytes] = await chosen(world, x)
    if (backupId === undefined || bytes === undefined) return false
    return heal(world, backupId, bytes)
  },
  restore: async (world, { x, y }) => {
    const [backupId, bytes] = await chosen(world, x)
    if (backupId === undefined || bytes === undefined) return false
    const rest = Buffer.alloc((y % 3) * STEP_BYTES)
    const { chunks, pages } = await damageOf(world, backupId)
    if (chunks.length + pages.length > 0) {
      await expect(restoreFile(world, backupId, bytes.length)).rejects.toSatisfy((error) =>
        explains(world, error),
      )
      return true
    }
    const restored =
      y % RESTORES_PER_FILE === 0 ? await restoreFile(world, backupId, bytes.length + rest.length) : undefined
    world.volume = restored ?? Buffer.concat([await content(world, backupId), rest])
    expect(world.volume.equals(Buffer.concat([bytes, rest])), `${backupId} restores to its bytes`).toBe(true)
    return true
  },
}

it(
  `a volume's backups are what the volume was, in ${SEQUENCES} lives of up to ${ACTIONS_MAX} steps`,
  async () => {
    const path = join(await tempDir(), 'restored')
    const { repository: empty, target } = await emptyRepository()
    const number = fc.nat({ max: 5000 })
    const step = fc.record({
      action: fc.constantFrom(...Object.keys(ACTIONS), ...FREQUENT),
      x: number,
      y: number,
      z: number,
    })
    const done = new Map<string, number>()
    const live = async (steps: readonly ({ action: string } & Choice)[]) => {
      const own = new MemoryTarget(new Map(target.objects))
      const repository = { ...empty, target: own, epochs: { newest: 0 } }
      const volume = Buffer.from(Array.from({ length: 5 * STEP_BYTES }, (_, at) => 1 + at))
      const world: World = {
        repository,
        target: own,
        path,
        volume,
        snapshots: [],
        backups: new Map(),
        damaged: new Map(),
        made: 0,
      }
      for (const { action, ...choice } of steps) {
        if ((await ACTIONS[action]?.(world, choice)) !== false) done.set(action, (done.get(action) ?? 0) + 1)
      }
      await expectModel(world)
    }
    const steps = fc.array(step, { minLength: ACTIONS_MIN, maxLength: ACTIONS_MAX, size: 'max' })
    await fc.assert(fc.asyncProperty(steps, live), { numRuns: SEQUENCES })
    for (const action of Object.keys(ACTIONS)) expect(done.get(action), action).toBeGreaterThan(SEQUENCES / 8)
  },
  10 * 60_000,
)

/** A damaged one in every other choice, if there is one. */
async function chosen(world: World, x: number): Promise<[string, Buffer] | []> {
  const all = [...world.backups]
  const damaged: typeof all = []
  for (const [backupId, bytes] of x % 2 === 0 && world.damaged.size > 0 ? all : []) {
    const { chunks, pages } = await damageOf(world, backupId)
    if (chunks.length + pages.length > 0) damaged.push([backupId, bytes])
  }
  const candidates = damaged.length > 0 ? damaged : all
  return candidates[(x >> 1) % Math.max(1, candidates.length)] ?? []
}

async function emptyRepository(): Promise<{ repository: Repository; target: MemoryTarget }> {
  const target = new MemoryTarget()
  const repository = await createOrOpenRepository(target, keyring(), SHAPE)
  await registerDomain(repository, DOMAIN)
  await repository.domain(DOMAIN)
  return { repository, target }
}

/** Every backup of the model is there with its bytes, and no other. */
async function expectModel(world: World): Promise<void> {
  const { backups } = world
  const repository = soundRepository(world)
  const records = await listBackups(repository, DOMAIN)
  expect(records.map(({ backupId }) => backupId).toSorted()).toEqual([...backups.keys()].toSorted())
  for (const record of records)
    expect(
      (await contentOf(repository, record)).equals(backups.get(record.backupId) ?? Buffer.alloc(0)),
    ).toBe(true)
}

function fill({ volume }: World, { x, y }: Choice, byte: number): void {
  const start = x % volume.length
  volume.fill(byte, start, Math.min(volume.length, start + 1 + (y % (3 * STEP_BYTES))))
}

async function backUp(
  world: World,
  bytes: Buffer,
  parentBackupId: string | undefined,
  knowsChanges: boolean,
): Promise<void> {
  world.made += 1
  const backupId = `backup-${world.made}`
  const old = parentBackupId === undefined ? undefined : world.backups.get(parentBackupId)
  const request = uploadRequest(
    { path: 'unused', bytes },
    {
      backupId,
      ...(parentBackupId !== undefined && { parentBackupId }),
      ...(knowsChanges && old !== undefined && { changedRanges: differences(old, bytes) }),
    },
  )
  const marked = request.changedRanges === undefined ? await markedWith(world, chunksOf(bytes)) : []
  try {
    await uploadFrom(world.repository, request, sparseReader(bytes))
    await commitBackup(world.repository, request)
    world.backups.set(backupId, Buffer.from(bytes))
  } catch (error) {
    // It would rely on what it sees to be damaged.
    if (!explains(world, error)) throw error
    await abortBackup(world.repository, request)
    await deleteBackup(world.repository, request)
  }
  await forgetHealed(world)
  // Whoever reads everything heals what it knows of and comes upon.
  for (const key of marked) expect(world.damaged.has(key), `${key} is healed by ${backupId}`).toBe(false)
}

function chunksOf(bytes: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / SHAPE.chunkBytes) }, (_, chunk) =>
    bytes.subarray(chunk * SHAPE.chunkBytes, (chunk + 1) * SHAPE.chunkBytes),
  )
}

async function remove({ repository, backups }: World, backupId: string): Promise<void> {
  await deleteBackup(repository, { domain: DOMAIN, backupId })
  backups.delete(backupId)
}

async function content({ repository }: World, backupId: string): Promise<Buffer> {
  return contentOf(repository, await readCommitted(repository, DOMAIN, backupId))
}

async function restoreFile(
  { repository, path }: World,
  backupId: string,
  sizeBytes: number,
): Promise<Buffer> {
  await writeFile(path, Buffer.alloc(sizeBytes))
  const destination = { kind: 'file' as const, path, sizeBytes }
  const { signal } = new AbortController()
  await restoreBackup(repository, { domain: DOMAIN, backupId, destination, freshTarget: true, signal })
  return readFile(path)
}

/** To the byte, as the best driver would tell; where one volume is shorter, the rest of the other is different. */
function differences(old: Buffer, bytes: Buffer): ByteRange[] {
  const ranges: ByteRange[] = []
  for (let offset = 0; offset < bytes.length; offset += 1)
    if (old[offset] !== bytes[offset]) ranges.push({ offset, length: 1 })
  return ranges
}

/** Tells of zeroes in whole blocks, as a file system does. */
function sparseReader(bytes: Buffer): BlockReader {
  const isZero = (offset: number, length: number) =>
    bytes.subarray(offset, offset + length).every((byte) => byte === 0)
  return {
    sizeBytes: bytes.length,
    read: async (buffer, offset) => void bytes.copy(buffer, 0, offset, offset + buffer.length),
    extents: async (offset, length) => {
      const extents: Extent[] = []
      for (let at = offset; at < offset + length; at += BLOCK_BYTES) {
        const blockBytes = Math.min(BLOCK_BYTES, offset + length - at)
        extents.push({ offset: at, length: blockBytes, kind: isZero(at, blockBytes) ? 'zero' : 'data' })
      }
      return extents
    },
    close: async () => {},
  }
}
