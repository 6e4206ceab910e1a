/**
 * Each `rbd` of each call is killed (-9) while it works, and the call is repeated: it ends as if nothing had happened. Takes long because the
 * cluster takes 30 s to notice that a program has died which had an image open.
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { SnapshotRef, VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import type { RbdConfig } from '../../../drivers/volumes/rbd/place.ts'
import { asCephAdmin, HAS_CEPH, newRbdConfig, sharedCeph } from '../../support/ceph-cluster.ts'
import { tempDir } from '../../support/temp-dir.ts'
import {
  EARLY,
  expectSnapshot,
  expectVolume,
  LATE,
  SIZE,
  volumeWithSnapshot,
  write,
} from './contract-steps.ts'
import { bytesOf } from './device-bytes.ts'

/** From its first look at the configuration to its last word: a program takes some 60 ms when nothing else runs. */
const DELAYS_MS = [30, 60, 100]
/** Far above the programs of any call. */
const PROGRAMS_MAX = 40

interface World {
  readonly driver: VolumeDriver
  /** Has EARLY, then `ref`, then LATE. */
  readonly volumeId: string
  readonly ref: SnapshotRef
  readonly newVolumeId: string
  readonly newRef: SnapshotRef
}

interface Case {
  readonly name: string
  readonly prepare?: (world: World) => Promise<unknown>
  readonly call: (world: World) => Promise<unknown>
  readonly check: (world: World) => Promise<void>
}

const BOTH = bytesOf(SIZE, EARLY, LATE)
const REVERTED = bytesOf(SIZE, EARLY)

const clone = ({ driver, ref, newVolumeId }: World) =>
  driver.cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE })

const CASES: readonly Case[] = [
  {
    name: 'createVolume',
    call: ({ driver, newVolumeId }) => driver.createVolume({ volumeId: newVolumeId, sizeBytes: SIZE }),
    check: ({ driver, newVolumeId }) => expectVolume(driver, newVolumeId, bytesOf(SIZE)),
  },
  {
    name: 'deleteVolume',
    call: ({ driver, volumeId }) => driver.deleteVolume({ volumeId }),
    check: async ({ driver, volumeId, ref }) => {
      expect((await driver.list()).volumeIds).not.toContain(volumeId)
      await expectSnapshot(driver, ref, REVERTED)
    },
  },
  {
    name: 'createSnapshot',
    call: ({ driver, newRef }) => driver.createSnapshot(newRef),
    check: ({ driver, newRef }) => expectSnapshot(driver, newRef, BOTH),
  },
  {
    name: 'deleteSnapshot',
    call: ({ driver, ref }) => driver.deleteSnapshot(ref),
    check: async ({ driver, volumeId }) => {
      expect((await driver.list()).snapshots).toEqual([])
      await expectVolume(driver, volumeId, BOTH)
    },
  },
  {
    name: 'cloneSnapshot to a larger volume',
    call: ({ driver, ref, newVolumeId }) =>
      driver.cloneSnapshot({ ...ref, newVolumeId, sizeBytes: 2 * SIZE }),
    check: ({ driver, newVolumeId }) => expectVolume(driver, newVolumeId, bytesOf(2 * SIZE, EARLY)),
  },
  {
    name: 'extendVolume',
    call: ({ driver, volumeId }) => driver.extendVolume({ volumeId, sizeBytes: 2 * SIZE }),
    check: ({ driver, volumeId }) => expectVolume(driver, volumeId, bytesOf(2 * SIZE, EARLY, LATE)),
  },
  {
    name: 'revertVolume',
    call: ({ driver, ref }) => driver.revertVolume({ ...ref, sizeBytes: SIZE }),
    check: async ({ driver, volumeId, ref }) => {
      await expectVolume(driver, volumeId, REVERTED)
      await expectSnapshot(driver, ref, REVERTED)
    },
  },
  {
    name: 'replaceVolume',
    prepare: clone,
    call: ({ driver, volumeId, newVolumeId }) => driver.replaceVolume({ volumeId, contentId: newVolumeId }),
    check: async ({ driver, volumeId, ref }) => {
      await expectVolume(driver, volumeId, REVERTED)
      await expectSnapshot(driver, ref, REVERTED)
      expect((await driver.list()).volumeIds).toEqual([volumeId])
    },
  },
  {
    name: 'unmanageVolume and manageVolume',
    prepare: clone,
    call: async ({ driver, newVolumeId, newRef }) => {
      const { sourceName } = await driver.unmanageVolume({ volumeId: newVolumeId })
      await driver.manageVolume({ volumeId: newRef.snapshotId, sourceName })
    },
    check: ({ driver, newRef }) => expectVolume(driver, newRef.snapshotId, REVERTED),
  },
  {
    name: 'openVolume to write',
    call: ({ driver, volumeId }) => write(driver, volumeId, { byte: 7, offset: 0, length: SIZE }),
    check: ({ driver, volumeId }) =>
      expectVolume(driver, volumeId, bytesOf(SIZE, { byte: 7, offset: 0, length: SIZE })),
  },
]

beforeAll(async () => {
  if (!HAS_CEPH) return
  await sharedCeph()
  await putMortalRbdFirst()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', () => {
  test.concurrent.each(CASES)(
    '$name',
    async ({ prepare, call, check }) => {
      let kills = 0
      for (let nth = 1; nth <= PROGRAMS_MAX; nth++) {
        const config = await newRbdConfig()
        const world = await makeWorld(config)
        await prepare?.(world)
        await killNth(config, nth, DELAYS_MS[nth % DELAYS_MS.length] ?? 0)
        const outcome = await call(world).then(
          () => undefined,
          (error: unknown) => error,
        )
        const isOver = (await programsLeft(config)) > 0
        if (outcome !== undefined) {
          expect(outcome).toMatchObject({
            name: 'DriverError',
            kind: expect.stringMatching(/transient|busy/) as string,
          })
          kills++
        }
        await call(world)
        await check(world)
        await expectCleanRemoval(world, config)
        if (isOver) break
      }
      console.log(`${kills} calls ended because their rbd was killed`)
    },
    1_800_000,
  )
})

async function makeWorld(config: RbdConfig): Promise<World> {
  const driver = await openVolumeDriver(config)
  const { volumeId, ref } = await volumeWithSnapshot(driver)
  await write(driver, volumeId, LATE)
  return { driver, volumeId, ref, newVolumeId: randomUUID(), newRef: { volumeId, snapshotId: randomUUID() } }
}

/** Beside a place's configuration is written which of its programs is killed, and when. */
async function putMortalRbdFirst(): Promise<void> {
  const folder = await tempDir()
  const path = process.env.PATH ?? ''
  const lines = [
    '#!/bin/sh',
    `export PATH='${path}'`,
    'victim="$4.victim"',
    'if [ -e "$victim" ]; then',
    '  read -r left seconds < "$victim"',
    '  left=$((left - 1))',
    '  echo "$left $seconds" > "$victim"',
    '  [ $left -eq 0 ] && exec timeout -s KILL "$seconds" rbd "$@"',
    'fi',
    'exec rbd "$@"',
  ]
  await writeFile(join(folder, 'rbd'), `${lines.join('\n')}\n`)
  await chmod(join(folder, 'rbd'), 0o755)
  process.env.PATH = [folder, path].join(delimiter)
}

async function killNth({ ownConfFile }: RbdConfig, nth: number, afterMs: number): Promise<void> {
  await writeFile(`${ownConfFile}.victim`, `${nth} ${afterMs / 1000}\n`)
}

async function programsLeft({ ownConfFile }: RbdConfig): Promise<number> {
  const path = `${ownConfFile}.victim`
  return existsSync(path) ? Number((await readFile(path, 'utf8')).split(' ')[0]) : 0
}

async function expectCleanRemoval({ driver }: World, { pool, namespace }: RbdConfig): Promise<void> {
  const { volumeIds, snapshots } = await driver.list()
  for (const volumeId of volumeIds) await driver.deleteVolume({ volumeId })
  for (const snapshot of snapshots) await driver.deleteSnapshot(snapshot)
  await driver.sweep?.()
  const spec = `${pool}/${namespace}`
  expect(JSON.parse(await asCephAdmin('rbd', 'ls', '--format', 'json', spec))).toEqual([])
  expect(JSON.parse(await asCephAdmin('rbd', 'trash', 'ls', '--format', 'json', spec))).toEqual([])
}
