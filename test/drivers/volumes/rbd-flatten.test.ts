/** Flattening in a cluster: stopped and killed in the middle, and while a guest writes. */
import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { MiB } from '../../../domain/sizes.ts'
import type { FlattenRequest, VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { asCephAdmin, HAS_CEPH, newRbdConfig, sharedCeph, TRIED_TWICE } from '../../support/ceph-cluster.ts'
import { killRbd } from '../../support/kill-rbd.ts'
import { startStorageDaemonGuest } from '../../support/storage-daemon-guest.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { SLOT_BYTES, SLOTS, writesIn } from '../../support/write-log.ts'
import {
  EARLY,
  expectSnapshot,
  expectVolume,
  newSnapshot,
  SIZE,
  volumeWithSnapshot,
  write,
} from './contract-steps.ts'
import { bytesOf, readAll } from './device-bytes.ts'

/** A hundred objects: some seconds for a cluster of one OSD. */
const LARGE = 400 * MiB
const FULL = { byte: 0xc3, offset: 0, length: LARGE }

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', TRIED_TWICE, () => {
  test('a flattened clone and its snapshots need nothing else, and flattening it again is nothing to do', async () => {
    const { driver, spec } = await openHere()
    const { volumeId, ref } = await volumeWithSnapshot(driver)
    const clone = randomUUID()
    await driver.cloneSnapshot({ ...ref, newVolumeId: clone, sizeBytes: 2 * SIZE })
    const own = await newSnapshot(driver, clone)
    expect(await flatten(driver, clone)).toEqual({ flattened: true })
    await driver.deleteSnapshot(ref)
    await driver.deleteVolume({ volumeId })
    expect(await json(spec, 'trash', 'ls')).toEqual([])
    await expectVolume(driver, clone, bytesOf(2 * SIZE, EARLY))
    await expectSnapshot(driver, own, bytesOf(2 * SIZE, EARLY))
    expect(await flatten(driver, clone)).toEqual({ flattened: false })
    await expect(flatten(driver, volumeId)).rejects.toMatchObject({ kind: 'notFound' })
  }, 300_000)

  test('stopped or killed in the middle it reads as before, holds nobody up and goes on where it was', async () => {
    const { driver, spec } = await openHere()
    const clone = await largeClone(driver)
    const image = `${spec}/volume-${clone}`
    const stop = new AbortController()
    const stopped = flatten(driver, clone, {
      signal: stop.signal,
      onProgress: (bytes) => bytes > LARGE / 5 && stop.abort(new Error('enough')),
    })
    await expect(stopped).rejects.toThrow('enough')
    expect(await json(image, 'lock', 'ls')).toEqual([])
    expect(await asCephAdmin('rbd', 'image-meta', 'ls', image)).not.toContain('volflow.writer')

    const seen: number[] = []
    const killed = flatten(driver, clone, {
      onProgress: (bytes) => {
        // Found among all processes, it has gone on for a while.
        if (seen.length === 0) void killRbd('flatten', image)
        seen.push(bytes)
      },
    })
    await expect(killed).rejects.toMatchObject({ kind: 'transient' })
    expect(await asCephAdmin('rbd', 'info', image)).toContain('parent:')
    const certain: number[] = []
    const onCheckpoint = (bytes: number) => Promise.resolve(void certain.push(bytes))
    expect(await flatten(driver, clone, { onProgress: (bytes) => seen.push(bytes), onCheckpoint })).toEqual({
      flattened: true,
    })
    expect(await asCephAdmin('rbd', 'info', image)).not.toContain('parent:')
    expect(certain.length).toBeGreaterThan(0)
    await expectVolume(driver, clone, bytesOf(LARGE, FULL))
  }, 480_000)

  test('while a guest writes, which notices nothing', async () => {
    const { driver, spec } = await openHere()
    const clone = await largeClone(driver)
    const { blockdev } = await driver.attachVolume({ volumeId: clone, guest: 'vm' })
    const socketFolder = await tempDir()
    await using guest = await startStorageDaemonGuest({
      ...{ name: 'vm', socketFolder, blockdev: { ...blockdev, 'node-name': 'disk' } },
    })
    await guest.writeMore(SLOTS)
    await expect(flatten(driver, clone)).rejects.toMatchObject({ kind: 'inUse' })
    expect(await flatten(driver, clone, { guest: 'vm' })).toEqual({ flattened: true })
    await guest.writeMore(SLOTS)
    await guest.stopWriting()
    await guest.kill()
    expect(await asCephAdmin('rbd', 'info', `${spec}/volume-${clone}`)).not.toContain('parent:')
    const device = await driver.openVolume({ volumeId: clone, access: 'read' })
    const bytes = await readAll(device)
    expect(writesIn(bytes.subarray(0, SLOTS * SLOT_BYTES))).toBeGreaterThan(2 * SLOTS)
    expect(bytes.subarray(SLOTS * SLOT_BYTES).every((byte) => byte === FULL.byte)).toBe(true)
  }, 480_000)
})

async function openHere(): Promise<{ driver: VolumeDriver; spec: string }> {
  const config = await newRbdConfig()
  return { driver: await openVolumeDriver(config), spec: `volumes/${config.namespace}` }
}

async function largeClone(driver: VolumeDriver): Promise<string> {
  const volumeId = randomUUID()
  await driver.createVolume({ volumeId, sizeBytes: LARGE })
  await write(driver, volumeId, FULL)
  const newVolumeId = randomUUID()
  await driver.cloneSnapshot({ ...(await newSnapshot(driver, volumeId)), newVolumeId, sizeBytes: LARGE })
  return newVolumeId
}

/** Expects its progress never to go back. */
async function flatten(
  driver: VolumeDriver,
  volumeId: string,
  { onProgress, ...request }: Partial<FlattenRequest> & { guest?: string } = {},
): Promise<{ flattened: boolean }> {
  if (driver.flattenVolume === undefined) throw new Error('Expected a driver that flattens')
  const seen: number[] = []
  const { signal } = new AbortController()
  const onCheckpoint = () => Promise.resolve()
  const told = (bytes: number) => {
    seen.push(bytes)
    onProgress?.(bytes)
  }
  try {
    return await driver.flattenVolume({ volumeId, signal, onCheckpoint, ...request, onProgress: told })
  } finally {
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  }
}

async function json(spec: string, ...command: string[]): Promise<unknown> {
  return JSON.parse(await asCephAdmin('rbd', ...command, '--format', 'json', spec))
}
