import { randomUUID } from 'node:crypto'
import { link, readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { startProcess } from '../../../block-io/process.ts'
import { MiB } from '../../../domain/sizes.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { bytesOf, firstDifference, readAll, writePattern } from './device-bytes.ts'

const SIZE = 4 * MiB

async function openHere() {
  const path = await tempDir()
  const driver = await openVolumeDriver({ driver: 'file', path })
  const volumeId = randomUUID()
  await driver.createVolume({ volumeId, sizeBytes: SIZE })
  return {
    driver,
    path,
    volumeId,
    write: async (byte: number) => {
      const device = await driver.openVolume({ volumeId, access: 'write' })
      await writePattern(device, { byte, offset: (byte % 3) * MiB, length: MiB })
    },
    snapshot: async () => {
      const ref = { volumeId, snapshotId: randomUUID() }
      await driver.createSnapshot(ref)
      return ref
    },
    compact: async (signal = new AbortController().signal) => driver.compactVolume?.({ volumeId, signal }),
    layers: async () => (await readdir(join(path, 'volumes', volumeId))).toSorted(),
    bytes: async () => readAll(await driver.openVolume({ volumeId, access: 'read' })),
  }
}

const patterns = (last: number) =>
  Array.from({ length: last }, (_, index) => ({
    byte: index + 1,
    offset: ((index + 1) % 3) * MiB,
    length: MiB,
  }))

test('a volume that is snapshotted for a backup every day stays at one layer', async () => {
  const { driver, write, snapshot, compact, layers, bytes } = await openHere()
  for (let day = 1; day <= 20; day++) {
    const ref = await snapshot()
    await write(day)
    await driver.deleteSnapshot(ref)
    await compact()
    expect(await layers()).toEqual(['0.raw'])
  }
  expect(firstDifference(await bytes(), bytesOf(SIZE, ...patterns(20)))).toBeUndefined()
})

test('a volume that keeps its last three snapshots stays at four layers, and each snapshot at its bytes', async () => {
  const { driver, write, snapshot, compact, layers, bytes } = await openHere()
  const kept: { ref: Awaited<ReturnType<typeof snapshot>>; day: number }[] = []
  for (let day = 1; day <= 20; day++) {
    await write(day)
    kept.push({ ref: await snapshot(), day })
    const oldest = kept.length > 3 ? kept.shift() : undefined
    if (oldest !== undefined) await driver.deleteSnapshot(oldest.ref)
    await compact()
  }
  expect((await layers()).length).toBeLessThanOrEqual(4)
  for (const { ref, day } of kept) {
    const difference = firstDifference(
      await readAll(await driver.openSnapshot(ref)),
      bytesOf(SIZE, ...patterns(day)),
    )
    expect(difference).toBeUndefined()
  }
  expect(firstDifference(await bytes(), bytesOf(SIZE, ...patterns(20)))).toBeUndefined()
})

test('a layer that something unknown links to is not merged', async () => {
  const { driver, path, volumeId, write, snapshot, compact, layers } = await openHere()
  const ref = await snapshot()
  await write(1)
  await driver.deleteSnapshot(ref)
  await link(join(path, 'volumes', volumeId, '0.raw'), join(path, 'kept-by-hand.raw'))
  await compact()
  expect(await layers()).toEqual(['0.raw', '1.qcow2'])
})

test('a merge that is aborted leaves the volume as it was, and can be repeated', async () => {
  const { driver, write, snapshot, compact, layers, bytes } = await openHere()
  const ref = await snapshot()
  for (const byte of [1, 2, 3]) await write(byte)
  await driver.deleteSnapshot(ref)
  const abort = new AbortController()
  const compacting = compact(abort.signal)
  setTimeout(() => abort.abort(), 8)
  await compacting.catch(() => undefined)
  expect(firstDifference(await bytes(), bytesOf(SIZE, ...patterns(3)))).toBeUndefined()
  await vi.waitFor(() => compact())
  expect(await layers()).toEqual(['0.raw'])
  expect(firstDifference(await bytes(), bytesOf(SIZE, ...patterns(3)))).toBeUndefined()
})

test('a merge hides nothing that somebody wrote past volflow, and is not taken for that itself', async () => {
  const { driver, path, volumeId, write, snapshot, compact, layers } = await openHere()
  const first = await snapshot()
  await write(1)
  const [second, third] = [await snapshot(), await snapshot()]
  await driver.deleteSnapshot(first)
  await compact()
  expect(await layers()).toEqual(['0.raw'])
  const changed = () =>
    driver.changedRanges({
      ...{ volumeId, fromSnapshotId: second.snapshotId, toSnapshotId: third.snapshotId },
    })
  expect(await changed()).toEqual({ ranges: [] })
  await write(2)
  const fourth = await snapshot()
  const now = new Date()
  await utimes(join(path, 'volumes', volumeId, '1.qcow2'), now, new Date(now.getTime() + 60_000))
  await driver.deleteSnapshot(fourth)
  const fifth = await snapshot()
  await driver.deleteSnapshot(second)
  await driver.deleteSnapshot(third)
  await compact()
  expect(await layers()).toEqual(['0.raw'])
  const sixth = await snapshot()
  const hidden = { volumeId, fromSnapshotId: fifth.snapshotId, toSnapshotId: sixth.snapshotId }
  expect(await driver.changedRanges(hidden)).toEqual({ unknown: expect.stringMatching(/past volflow/) })
})

test('while another process merges layers in the backend, nobody else does', async () => {
  const { path, write, snapshot, compact } = await openHere()
  const ref = await snapshot()
  await write(1)
  const other = startProcess('flock', ['--exclusive', join(path, 'merged'), 'sleep', '20'])
  await vi.waitFor(() => expect(compact()).rejects.toMatchObject({ kind: 'busy' }))
  await other.stop()
  expect(await compact()).toEqual({ mergedLayers: 0 })
  expect(ref.snapshotId).toBeDefined()
})

test('a volume that does not exist has nothing to merge', async () => {
  const { driver } = await openHere()
  await driver.compactVolume?.({ volumeId: randomUUID(), signal: new AbortController().signal })
})
