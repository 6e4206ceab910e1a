import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { cp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { BlockDevice } from '../../../block-io/device.ts'
import { MiB } from '../../../domain/sizes.ts'
import type { VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { bytesOf, firstDifference, type Pattern, readAll, writePattern } from './device-bytes.ts'

const SIZE = 2 * MiB
const LARGE = 3 * SIZE
const OLD: Pattern = { byte: 1, offset: 0, length: MiB }
const NEW: Pattern = { byte: 2, offset: MiB / 2, length: MiB }
const CLONED: Pattern = { byte: 4, offset: SIZE - MiB / 2, length: MiB / 4 }
/** Far above the changes of any call: only a call that never ends gets there. */
const CHANGES_MAX = 60

interface World {
  readonly driver: VolumeDriver
  readonly path: string
  /** Holds OLD, then `ref`, then NEW in a layer of its own. */
  readonly volumeId: string
  readonly ref: { volumeId: string; snapshotId: string }
  readonly newVolumeId: string
  readonly newRef: { volumeId: string; snapshotId: string }
}

interface Case {
  readonly name: string
  readonly method: string
  /** What may be seen after the kill, before the call is repeated. */
  readonly checkKilled?: (world: World) => Promise<void>
  readonly args: (world: World) => object
  readonly prepare?: (world: World) => Promise<void>
  readonly check: (world: World) => Promise<void>
}

/** Before and after. */
type Two = readonly [Buffer, Buffer]
const EXTENDED: Two = [bytesOf(SIZE, OLD, NEW), bytesOf(LARGE, OLD, NEW)]
const REVERTED: Two = [bytesOf(SIZE, OLD, NEW), bytesOf(SIZE, OLD)]

const CASES: Case[] = [
  {
    name: 'createVolume',
    method: 'createVolume',
    args: ({ newVolumeId }) => ({ volumeId: newVolumeId, sizeBytes: SIZE }),
    check: ({ driver, newVolumeId }) => expectVolume(driver, newVolumeId, bytesOf(SIZE)),
  },
  {
    name: 'deleteVolume',
    method: 'deleteVolume',
    args: ({ volumeId }) => ({ volumeId }),
    check: async ({ driver, path, volumeId, ref }) => {
      await expect(driver.openVolume({ volumeId, access: 'read' })).rejects.toMatchObject({
        kind: 'notFound',
      })
      expect(await linksOf(join(path, 'snapshots', `${ref.volumeId}.${ref.snapshotId}`, '0.raw'))).toBe(1)
    },
  },
  {
    name: 'createSnapshot',
    method: 'createSnapshot',
    args: ({ newRef }) => newRef,
    check: async ({ driver, newRef }) =>
      expectDevice(await driver.openSnapshot(newRef), bytesOf(SIZE, OLD, NEW)),
  },
  {
    name: 'deleteSnapshot',
    method: 'deleteSnapshot',
    args: ({ ref }) => ref,
    check: async ({ driver, path, volumeId, ref }) => {
      await expect(driver.openSnapshot(ref)).rejects.toMatchObject({ kind: 'notFound' })
      expect(await linksOf(join(path, 'volumes', volumeId, '0.raw'))).toBe(1)
    },
  },
  {
    name: 'cloneSnapshot',
    method: 'cloneSnapshot',
    args: ({ ref, newVolumeId }) => ({ ...ref, newVolumeId, sizeBytes: SIZE }),
    check: ({ driver, newVolumeId }) => expectVolume(driver, newVolumeId, bytesOf(SIZE, OLD)),
  },
  {
    name: 'cloneSnapshot to a larger volume',
    method: 'cloneSnapshot',
    args: ({ ref, newVolumeId }) => ({ ...ref, newVolumeId, sizeBytes: 2 * SIZE }),
    check: ({ driver, newVolumeId }) => expectVolume(driver, newVolumeId, bytesOf(2 * SIZE, OLD)),
  },
  {
    name: 'extendVolume of a volume with a layer of its own',
    method: 'extendVolume',
    args: ({ volumeId }) => ({ volumeId, sizeBytes: LARGE }),
    checkKilled: ({ driver, volumeId }) => expectEither(driver, volumeId, EXTENDED),
    check: async ({ driver, path, volumeId }) => {
      await expectVolume(driver, volumeId, EXTENDED[1])
      expect((await readdir(join(path, 'volumes', volumeId))).toSorted()).toEqual(['0.raw', '1.qcow2'])
    },
  },
  {
    name: 'extendVolume of a volume that shares its only layer',
    method: 'extendVolume',
    args: ({ newVolumeId }) => ({ volumeId: newVolumeId, sizeBytes: LARGE }),
    prepare: ({ driver, ref, newVolumeId }) =>
      driver.cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE }).then(() => undefined),
    checkKilled: ({ driver, newVolumeId }) =>
      expectEither(driver, newVolumeId, [bytesOf(SIZE, OLD), bytesOf(LARGE, OLD)]),
    check: async ({ driver, newVolumeId, ref }) => {
      await expectVolume(driver, newVolumeId, bytesOf(LARGE, OLD))
      await expectDevice(await driver.openSnapshot(ref), bytesOf(SIZE, OLD))
    },
  },
  {
    name: 'extendVolume of a plain file',
    method: 'extendVolume',
    args: ({ newVolumeId }) => ({ volumeId: newVolumeId, sizeBytes: LARGE }),
    prepare: ({ driver, newVolumeId }) => driver.createVolume({ volumeId: newVolumeId, sizeBytes: SIZE }),
    checkKilled: ({ driver, newVolumeId }) =>
      expectEither(driver, newVolumeId, [bytesOf(SIZE), bytesOf(LARGE)]),
    check: ({ driver, newVolumeId }) => expectVolume(driver, newVolumeId, bytesOf(LARGE)),
  },
  {
    name: 'revertVolume',
    method: 'revertVolume',
    args: ({ ref }) => ({ ...ref, sizeBytes: SIZE }),
    checkKilled: ({ driver, volumeId }) => expectEither(driver, volumeId, REVERTED),
    check: async ({ driver, path, volumeId, ref }) => {
      await expectVolume(driver, volumeId, REVERTED[1])
      await expectDevice(await driver.openSnapshot(ref), REVERTED[1])
      expect(await readdir(join(path, 'volumes'))).toEqual([volumeId])
    },
  },
  {
    name: 'replaceVolume',
    method: 'replaceVolume',
    args: ({ volumeId, newVolumeId }) => ({ volumeId, contentId: newVolumeId }),
    prepare: ({ driver, ref, newVolumeId }) =>
      driver.cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE }).then(() => undefined),
    checkKilled: async ({ driver, volumeId, newVolumeId, ref }) => {
      await expectEither(driver, volumeId, REVERTED)
      // What an operation does that is ended by hand here: whatever the volume is now, it stays so.
      const before = await readAll(await driver.openVolume({ volumeId, access: 'read' }))
      await driver.deleteVolume({ volumeId: newVolumeId })
      await expectVolume(driver, volumeId, before)
      await driver.cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE })
    },
    check: async ({ driver, path, volumeId }) => {
      await expectVolume(driver, volumeId, REVERTED[1])
      expect(await readdir(join(path, 'volumes'))).toEqual([volumeId])
    },
  },
  {
    name: 'deleteVolume after a reversion killed in its swap',
    method: 'deleteVolume',
    args: ({ volumeId }) => ({ volumeId }),
    prepare: async ({ path, ref, driver, volumeId }) => {
      const directory = join(path, 'volumes', volumeId)
      await cp(directory, join(path, 'before'), { recursive: true })
      await driver.revertVolume({ ...ref, sizeBytes: SIZE })
      await rename(directory, `${directory}.next`)
      await rename(join(path, 'before'), directory)
      await expectVolume(driver, volumeId, REVERTED[1])
      expect((await driver.list()).volumeIds).toEqual([volumeId])
    },
    check: async ({ driver, path }) => {
      expect(await readdir(join(path, 'volumes'))).toEqual([])
      expect((await driver.list()).volumeIds).toEqual([])
    },
  },
  {
    name: 'the first openVolume for writing after a snapshot',
    method: 'openVolume',
    args: ({ volumeId }) => ({ volumeId, access: 'write' }),
    prepare: ({ driver, newRef }) => driver.createSnapshot(newRef),
    check: async ({ driver, path, volumeId, newRef }) => {
      await writePattern(await driver.openVolume({ volumeId, access: 'write' }), {
        byte: 3,
        offset: 0,
        length: SIZE,
      })
      await expectDevice(await driver.openSnapshot(newRef), bytesOf(SIZE, OLD, NEW))
      expect((await readdir(join(path, 'volumes', volumeId))).toSorted()).toEqual([
        '0.raw',
        '1.qcow2',
        '2.qcow2',
      ])
      await driver.deleteSnapshot(newRef)
    },
  },
  {
    name: 'manageVolume',
    method: 'manageVolume',
    args: ({ newVolumeId }) => ({ volumeId: newVolumeId, sourceName: 'disk' }),
    prepare: async ({ path }) => {
      await writeFile(join(path, 'unmanaged/disk'), bytesOf(SIZE, CLONED))
    },
    check: async ({ driver, path, newVolumeId }) => {
      await expectVolume(driver, newVolumeId, bytesOf(SIZE, CLONED))
      expect(await linksOf(join(path, 'volumes', newVolumeId, '0.raw'))).toBe(1)
      expect(await readdir(join(path, 'unmanaged'))).toEqual([])
    },
  },
  {
    name: 'unmanageVolume',
    method: 'unmanageVolume',
    args: ({ newVolumeId }) => ({ volumeId: newVolumeId }),
    prepare: async ({ driver, newVolumeId }) => {
      await driver.createVolume({ volumeId: newVolumeId, sizeBytes: SIZE })
      await writePattern(await driver.openVolume({ volumeId: newVolumeId, access: 'write' }), CLONED)
    },
    check: async ({ driver, path, newVolumeId }) => {
      const given = join(path, 'unmanaged', `${newVolumeId}.raw`)
      expect((await driver.list()).volumeIds).not.toContain(newVolumeId)
      expect(await linksOf(given)).toBe(1)
      expect(firstDifference(await readFile(given), bytesOf(SIZE, CLONED))).toBeUndefined()
      await rm(given)
    },
  },
  {
    name: 'compactVolume',
    method: 'compactVolume',
    args: ({ volumeId }) => ({ volumeId }),
    // A clone above the volume's two layers, and no snapshot: the two become one, and the clone's own is merged with nothing.
    prepare: async ({ driver, ref, newRef, newVolumeId }) => {
      await driver.createSnapshot(newRef)
      await driver.cloneSnapshot({ ...newRef, newVolumeId, sizeBytes: SIZE })
      await writePattern(await driver.openVolume({ volumeId: newVolumeId, access: 'write' }), CLONED)
      await driver.deleteSnapshot(ref)
      await driver.deleteSnapshot(newRef)
    },
    check: async ({ driver, path, volumeId, newVolumeId }) => {
      await expectVolume(driver, volumeId, bytesOf(SIZE, OLD, NEW))
      await expectVolume(driver, newVolumeId, bytesOf(SIZE, OLD, NEW, CLONED))
      expect(await readdir(join(path, 'volumes', volumeId))).toEqual(['0.raw'])
      expect((await readdir(join(path, 'volumes', newVolumeId))).toSorted()).toEqual(['0.raw', '2.qcow2'])
      expect(await readdir(join(path, 'merged'))).toEqual([])
    },
  },
]

test.concurrent.each(CASES)(
  '$name, killed before each of its changes and repeated, ends as if nothing had happened',
  async ({ method, args, prepare, checkKilled, check }) => {
    let kills = 0
    for (let nth = 1; nth <= CHANGES_MAX; nth++) {
      const world = await makeWorld()
      await prepare?.(world)
      const killed = await dieInCall(world.path, method, args(world), nth)
      await checkKilled?.(world)
      await callByName(world.driver, method, args(world))
      await check(world)
      expect(await readdir(join(world.path, 'scratch'))).toEqual([])
      await expectCleanRemoval(world)
      if (!killed) break
      kills++
    }
    expect(kills).toBeGreaterThan(2)
    expect(kills).toBeLessThan(CHANGES_MAX)
  },
  120_000,
)

async function callByName(driver: VolumeDriver, method: string, args: object): Promise<void> {
  const call: unknown = Reflect.get(driver, method)
  if (typeof call !== 'function') throw new Error(`no method ${method}`)
  await Reflect.apply(call, driver, [args])
}

async function makeWorld(): Promise<World> {
  const path = await tempDir()
  const driver = await openVolumeDriver({ driver: 'file', path })
  const volumeId = randomUUID()
  const ref = { volumeId, snapshotId: randomUUID() }
  await driver.createVolume({ volumeId, sizeBytes: SIZE })
  await writePattern(await driver.openVolume({ volumeId, access: 'write' }), OLD)
  await driver.createSnapshot(ref)
  await writePattern(await driver.openVolume({ volumeId, access: 'write' }), NEW)
  return {
    driver,
    path,
    volumeId,
    ref,
    newVolumeId: randomUUID(),
    newRef: { volumeId, snapshotId: randomUUID() },
  }
}

/** True when the process died in the call; false when the call ended first. */
async function dieInCall(path: string, method: string, args: object, nth: number): Promise<boolean> {
  const script = fileURLToPath(new URL('dying-call.ts', import.meta.url))
  const config = JSON.stringify({ driver: 'file', path })
  const child = spawn(process.execPath, [script, config, method, JSON.stringify(args), `${nth}`], {
    stdio: 'inherit',
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (signal === 'SIGKILL') return true
  expect(code).toBe(0)
  return false
}

/** Deletes everything that the world may hold: then no file is left anywhere. */
async function expectCleanRemoval({ driver, path }: World): Promise<void> {
  const { volumeIds, snapshots } = await driver.list()
  for (const volumeId of volumeIds) await driver.deleteVolume({ volumeId })
  for (const snapshot of snapshots) await driver.deleteSnapshot(snapshot)
  expect((await readdir(path, { recursive: true })).toSorted()).toEqual([
    'merged',
    'scratch',
    'snapshots',
    'unmanaged',
    'volumes',
  ])
}

async function expectEither(driver: VolumeDriver, volumeId: string, [before, after]: Two): Promise<void> {
  const bytes = await readAll(await driver.openVolume({ volumeId, access: 'read' }))
  if (!bytes.equals(before)) expect(firstDifference(bytes, after)).toBeUndefined()
}

async function expectVolume(driver: VolumeDriver, volumeId: string, expected: Buffer): Promise<void> {
  await expectDevice(await driver.openVolume({ volumeId, access: 'read' }), expected)
}

async function expectDevice(device: BlockDevice, expected: Buffer): Promise<void> {
  expect(firstDifference(await readAll(device), expected)).toBeUndefined()
}

async function linksOf(path: string): Promise<number> {
  return (await stat(path)).nlink
}
