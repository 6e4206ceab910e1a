/** What the contract suite of volume drivers does again and again. */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { OpenDevice } from '../../../block-io/device.ts'
import { MiB } from '../../../domain/sizes.ts'
import type { SnapshotRef, VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { firstDifference, type Pattern, readAll, writePattern } from './device-bytes.ts'

export const SIZE = 4 * MiB
export const EARLY: Pattern = { byte: 0xa1, offset: 0, length: MiB }
export const LATE: Pattern = { byte: 0xb2, offset: MiB / 2, length: 2 * MiB }

export async function newVolume(driver: VolumeDriver): Promise<string> {
  const volumeId = randomUUID()
  await driver.createVolume({ volumeId, sizeBytes: SIZE })
  return volumeId
}

export async function newSnapshot(driver: VolumeDriver, volumeId: string) {
  const ref = { volumeId, snapshotId: randomUUID() }
  await driver.createSnapshot(ref)
  return ref
}

export async function volumeWithSnapshot(driver: VolumeDriver) {
  const volumeId = await newVolume(driver)
  await write(driver, volumeId, EARLY)
  return { volumeId, ref: await newSnapshot(driver, volumeId) }
}

export async function write(driver: VolumeDriver, volumeId: string, pattern: Pattern): Promise<void> {
  await using device = closing(await driver.openVolume({ volumeId, access: 'write' }))
  await writePattern(device, pattern)
}

export async function expectVolume(driver: VolumeDriver, volumeId: string, expected: Buffer): Promise<void> {
  await using device = closing(await driver.openVolume({ volumeId, access: 'read' }))
  expect(device.sizeBytes).toBe(expected.length)
  expect(firstDifference(await readAll(device), expected)).toBeUndefined()
}

export async function expectSnapshot(
  driver: VolumeDriver,
  ref: SnapshotRef,
  expected: Buffer,
): Promise<void> {
  await using device = closing(await driver.openSnapshot(ref))
  expect(firstDifference(await readAll(device), expected)).toBeUndefined()
}

function closing(device: OpenDevice): OpenDevice & AsyncDisposable {
  return { ...device, [Symbol.asyncDispose]: () => device.close() }
}
