import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { startProcess } from '../../../block-io/process.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { GiB, MiB } from '../../../domain/sizes.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { describeVolumeDriver } from './contract.ts'
import { bytesOf, firstDifference, nameOf, readAll, writePattern } from './device-bytes.ts'

describeVolumeDriver('the file driver', async () =>
  openVolumeDriver({ driver: 'file', path: await tempDir() }),
)

async function openHere() {
  const path = await tempDir()
  const driver = await openVolumeDriver({ driver: 'file', path })
  const volumeId = randomUUID()
  await driver.createVolume({ volumeId, sizeBytes: 2 * MiB })
  const write = async (byte: number) =>
    writePattern(await driver.openVolume({ volumeId, access: 'write' }), { byte, offset: 0, length: MiB })
  return { driver, path, volumeId, write }
}

test('a new volume takes no space and a few milliseconds', async () => {
  const { driver, path } = await openHere()
  const times: number[] = []
  const ids = Array.from({ length: 20 }, () => randomUUID())
  for (const volumeId of ids) {
    const started = performance.now()
    await driver.createVolume({ volumeId, sizeBytes: 64 * GiB })
    times.push(performance.now() - started)
  }
  const { blocks } = await stat(join(path, 'volumes', ids[0] ?? '', '0.raw'))
  expect(blocks).toBe(0)
  expect(times.toSorted((a, b) => a - b)[10]).toBeLessThan(50)
})

test('while its directory is not there, as a share that is not mounted, nothing is said to be missing, made or deleted', async () => {
  const { driver, path, volumeId } = await openHere()
  const ref = { volumeId, snapshotId: randomUUID() }
  await driver.createSnapshot(ref)
  const calls = [
    () => driver.createVolume({ volumeId: randomUUID(), sizeBytes: MiB }),
    () => driver.openVolume({ volumeId, access: 'read' }),
    () => driver.extendVolume({ volumeId, sizeBytes: 4 * MiB }),
    () => driver.deleteVolume({ volumeId }),
    () => driver.deleteSnapshot(ref),
    () => driver.cloneSnapshot({ ...ref, newVolumeId: randomUUID(), sizeBytes: 2 * MiB }),
    () => driver.revertVolume({ ...ref, sizeBytes: 2 * MiB }),
  ]
  await rename(path, `${path}.away`)
  for (const call of calls) await expect(call()).rejects.toMatchObject({ kind: 'transient' })
  // A mount point without its mount.
  await mkdir(path)
  for (const call of calls) await expect(call()).rejects.toMatchObject({ kind: 'transient' })
  await rmdir(path)
  await rename(`${path}.away`, path)
  expect(await driver.list()).toEqual({ volumeIds: [volumeId], snapshots: [ref] })
})

test('a volume that a qemu process has open for writing is not snapshotted, extended, reverted, deleted or attached; one that is read is snapshotted', async () => {
  const { driver, volumeId, write } = await openHere()
  await write(1)
  const holdOpen = async (access: 'read' | 'write') => {
    const device = await driver.openVolume({ volumeId, access })
    const { ino } = await stat(device.plainFile ?? '')
    const flags = access === 'write' ? [] : ['-r']
    const holder = startProcess('qemu-io', [...flags, '-c', 'sleep 20000', nameOf(device)])
    await vi.waitFor(async () => expect(await readFile('/proc/locks', 'utf8')).toContain(`:${ino} `))
    return holder
  }
  const ref = { volumeId, snapshotId: randomUUID() }
  const writer = await holdOpen('write')
  const calls = await Promise.allSettled([
    driver.createSnapshot(ref),
    driver.extendVolume({ volumeId, sizeBytes: 4 * MiB }),
    driver.revertVolume({ ...ref, sizeBytes: 2 * MiB }),
    driver.deleteVolume({ volumeId }),
    driver.detachVolume({ volumeId }),
    driver.attachVolume({ volumeId }),
  ])
  for (const call of calls) {
    const reason = { kind: 'inUse', message: expect.stringMatching(/open for writing/) as string }
    expect(call).toMatchObject({ status: 'rejected', reason })
  }
  await writer.stop()
  const reader = await holdOpen('read')
  await driver.createSnapshot(ref)
  await reader.stop()
})

test('the first write after a snapshot adds a layer, and none is added while the snapshot is gone again', async () => {
  const { driver, path, volumeId, write } = await openHere()
  const layers = async () => (await readdir(join(path, 'volumes', volumeId))).toSorted()
  const ref = { volumeId, snapshotId: randomUUID() }
  await write(1)
  await driver.createSnapshot(ref)
  await driver.deleteSnapshot(ref)
  await write(2)
  expect(await layers()).toEqual(['0.raw'])
  await driver.createSnapshot(ref)
  expect(await layers()).toEqual(['0.raw'])
  await write(3)
  await write(4)
  expect(await layers()).toEqual(['0.raw', '1.qcow2'])
  expect(await readdir(join(path, 'scratch'))).toEqual([])
})

test('a volume with as many layers as are allowed cannot be snapshotted, and says what to do', async () => {
  const { driver, volumeId, write } = await openHere()
  const snapshots = Array.from({ length: LIMITS.layerDepthMax }, () => randomUUID())
  for (const snapshotId of snapshots.slice(1)) {
    await driver.createSnapshot({ volumeId, snapshotId })
    await write(snapshots.indexOf(snapshotId))
  }
  const last = { volumeId, snapshotId: snapshots[0] ?? '' }
  await expect(driver.createSnapshot(last)).rejects.toMatchObject({
    kind: 'unsupported',
    message: expect.stringMatching(/fewer than 16 layers, got 16: delete snapshots/),
  })
  const device = await driver.openVolume({ volumeId, access: 'read' })
  const expected = bytesOf(2 * MiB, { byte: LIMITS.layerDepthMax - 1, offset: 0, length: MiB })
  expect(firstDifference(await readAll(device), expected)).toBeUndefined()
})

test('a directory without its base layer is reported as corrupt', async () => {
  const { driver, path, volumeId } = await openHere()
  await rm(join(path, 'volumes', volumeId, '0.raw'))
  await expect(driver.openVolume({ volumeId, access: 'read' })).rejects.toMatchObject({ kind: 'corrupt' })
})
