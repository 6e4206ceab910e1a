/** What every volume driver promises (drivers/volumes/driver.ts), for its own test file to run. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { LIMITS } from '../../../domain/limits.ts'
import { MiB } from '../../../domain/sizes.ts'
import type { SnapshotRef, VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { changedRangesTests } from './changed-ranges.ts'
import {
  EARLY,
  expectSnapshot,
  expectVolume,
  LATE,
  newSnapshot,
  newVolume,
  SIZE,
  volumeWithSnapshot,
  write,
} from './contract-steps.ts'
import { managingTests } from './managing.ts'
import { bytesOf, type Pattern } from './device-bytes.ts'

/** Random histories of a volume that are tried: fewer and shorter ones where each step takes long. */
export function describeVolumeDriver(
  name: string,
  openDriver: () => Promise<VolumeDriver>,
  histories = { lives: 10, stepsMax: 16 },
): void {
  describe(name, () => {
    let driver: VolumeDriver
    beforeEach(async () => {
      driver = await openDriver()
    })

    describe('createVolume', () => createVolumeTests(() => driver))
    describe('createSnapshot', () => snapshotTests(() => driver))
    describe('cloneSnapshot', () => cloneTests(() => driver))
    describe('extendVolume', () => extendTests(() => driver))
    describe('revertVolume', () => revertTests(() => driver))
    describe('replaceVolume', () => replaceTests(() => driver))
    describe('manageVolume and unmanageVolume', () => managingTests(() => driver))
    describe('changedRanges', () => changedRangesTests(() => driver, histories))
    describe('deleting', () => deleteTests(() => driver))
    describe('as a whole', () => wholeTests(() => driver))
  })
}

function createVolumeTests(driver: () => VolumeDriver): void {
  test('makes a volume that reads as zeroes and can be written', async () => {
    const volumeId = await newVolume(driver())
    await expectVolume(driver(), volumeId, bytesOf(SIZE))
    await write(driver(), volumeId, EARLY)
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY))
  })

  test('changes nothing when it is repeated', async () => {
    const volumeId = await newVolume(driver())
    await write(driver(), volumeId, EARLY)
    await driver().createVolume({ volumeId, sizeBytes: SIZE })
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY))
  })

  test('refuses another size for the same id', async () => {
    const volumeId = await newVolume(driver())
    await expect(driver().createVolume({ volumeId, sizeBytes: 2 * SIZE })).rejects.toMatchObject({
      kind: 'invalid',
    })
    await expectVolume(driver(), volumeId, bytesOf(SIZE))
  })

  test.each([0, -MiB, MiB + 512, 1.5, Number.NaN, LIMITS.volumeSizeMaxBytes + MiB])(
    'refuses a size of %d bytes and leaves nothing behind',
    async (sizeBytes) => {
      await expect(driver().createVolume({ volumeId: randomUUID(), sizeBytes })).rejects.toMatchObject({
        name: 'DriverError',
        kind: 'invalid',
      })
      expect(await driver().list()).toEqual({ volumeIds: [], snapshots: [] })
    },
  )
}

function snapshotTests(driver: () => VolumeDriver): void {
  test('keeps the bytes as they were while the volume goes on', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    await write(driver(), volumeId, LATE)
    await expectSnapshot(driver(), ref, bytesOf(SIZE, EARLY))
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY, LATE))
  })

  test('changes nothing when it is repeated after the volume was written', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    await write(driver(), volumeId, LATE)
    await driver().createSnapshot(ref)
    await expectSnapshot(driver(), ref, bytesOf(SIZE, EARLY))
  })

  test('of a volume that does not exist is notFound, and nothing is left', async () => {
    const ref = { volumeId: randomUUID(), snapshotId: randomUUID() }
    await expect(driver().createSnapshot(ref)).rejects.toMatchObject({ kind: 'notFound' })
    await expect(driver().openSnapshot(ref)).rejects.toMatchObject({ kind: 'notFound' })
    expect(await driver().list()).toEqual({ volumeIds: [], snapshots: [] })
  })

  test('several of one volume each keep their own moment', async () => {
    const volumeId = await newVolume(driver())
    const moments: { ref: SnapshotRef; patterns: Pattern[] }[] = []
    for (let index = 0; index < 4; index++) {
      const patterns = [
        ...(moments.at(-1)?.patterns ?? []),
        { byte: index + 1, offset: index * MiB, length: MiB / 2 },
      ]
      await write(driver(), volumeId, { byte: index + 1, offset: index * MiB, length: MiB / 2 })
      moments.push({ ref: await newSnapshot(driver(), volumeId), patterns })
    }
    for (const { ref, patterns } of moments) {
      await expectSnapshot(driver(), ref, bytesOf(SIZE, ...patterns))
    }
  })
}

function cloneTests(driver: () => VolumeDriver): void {
  test.each([SIZE, 2 * SIZE])('makes an independent volume of %d bytes', async (sizeBytes) => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    const newVolumeId = randomUUID()
    const { path } = await driver().cloneSnapshot({ ...ref, newVolumeId, sizeBytes })
    expect(path === 'reflink').toBe(driver().capabilities.reflink)
    await expectVolume(driver(), newVolumeId, bytesOf(sizeBytes, EARLY))
    await write(driver(), newVolumeId, LATE)
    await write(driver(), newVolumeId, { byte: 9, offset: sizeBytes - MiB, length: MiB })
    const ninth = { byte: 9, offset: sizeBytes - MiB, length: MiB }
    await expectVolume(driver(), newVolumeId, bytesOf(sizeBytes, EARLY, LATE, ninth))
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY))
    await expectSnapshot(driver(), ref, bytesOf(SIZE, EARLY))
  })

  test('changes nothing when it is repeated after the clone was written', async () => {
    const { ref } = await volumeWithSnapshot(driver())
    const clone = { ...ref, newVolumeId: randomUUID(), sizeBytes: SIZE }
    await driver().cloneSnapshot(clone)
    await write(driver(), clone.newVolumeId, LATE)
    await driver().cloneSnapshot(clone)
    await expectVolume(driver(), clone.newVolumeId, bytesOf(SIZE, EARLY, LATE))
  })

  test('to a smaller volume is invalid, of a missing snapshot notFound, and nothing is left', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    const newVolumeId = randomUUID()
    const smaller = driver().cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE - MiB })
    await expect(smaller).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/4 MiB.*3 MiB/),
    })
    const missing = driver().cloneSnapshot({
      volumeId,
      snapshotId: randomUUID(),
      newVolumeId,
      sizeBytes: SIZE,
    })
    await expect(missing).rejects.toMatchObject({ kind: 'notFound' })
    expect((await driver().list()).volumeIds).toEqual([volumeId])
  })
}

function extendTests(driver: () => VolumeDriver): void {
  test.each(['a volume of its own', 'one with a snapshot', 'one written after a snapshot'])(
    'adds zeroes to %s, and nothing to its snapshots and clones',
    async (what) => {
      const { ref, volumeId } = await volumeWithSnapshot(driver())
      const newVolumeId = randomUUID()
      await driver().cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE })
      if (what === 'a volume of its own') await driver().deleteSnapshot(ref)
      const written = what === 'one written after a snapshot' ? [EARLY, LATE] : [EARLY]
      if (written.includes(LATE)) await write(driver(), volumeId, LATE)
      // Twice, as after a crash.
      await driver().extendVolume({ volumeId, sizeBytes: 2 * SIZE })
      await driver().extendVolume({ volumeId, sizeBytes: 2 * SIZE })
      await expectVolume(driver(), volumeId, bytesOf(2 * SIZE, ...written))
      const behind = { byte: 9, offset: SIZE - MiB, length: 2 * MiB }
      await write(driver(), volumeId, behind)
      await expectVolume(driver(), volumeId, bytesOf(2 * SIZE, ...written, behind))
      await expectVolume(driver(), newVolumeId, bytesOf(SIZE, EARLY))
      if (what !== 'a volume of its own') await expectSnapshot(driver(), ref, bytesOf(SIZE, EARLY))
    },
  )

  test('to fewer bytes or an absurd size is invalid, of a missing volume notFound, and nothing changes', async () => {
    const { volumeId } = await volumeWithSnapshot(driver())
    for (const sizeBytes of [SIZE - MiB, 0, SIZE + 1, LIMITS.volumeSizeMaxBytes + MiB, Number.NaN]) {
      await expect(driver().extendVolume({ volumeId, sizeBytes })).rejects.toMatchObject({ kind: 'invalid' })
    }
    const missing = driver().extendVolume({ volumeId: randomUUID(), sizeBytes: SIZE })
    await expect(missing).rejects.toMatchObject({ kind: 'notFound' })
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY))
  })
}

function revertTests(driver: () => VolumeDriver): void {
  test('brings the bytes of the snapshot back, as often as wanted', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    for (let time = 0; time < 3; time++) {
      await write(driver(), volumeId, LATE)
      await driver().revertVolume({ ...ref, sizeBytes: SIZE })
      await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY))
    }
    await expectSnapshot(driver(), ref, bytesOf(SIZE, EARLY))
    expect(await driver().list()).toEqual({ volumeIds: [volumeId], snapshots: [ref] })
  })

  test('leaves an extended volume its size, with zeroes behind the snapshot', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    await driver().extendVolume({ volumeId, sizeBytes: 2 * SIZE })
    await write(driver(), volumeId, { byte: 9, offset: 0, length: 2 * SIZE })
    await driver().revertVolume({ ...ref, sizeBytes: 2 * SIZE })
    await expectVolume(driver(), volumeId, bytesOf(2 * SIZE, EARLY))
    await write(driver(), volumeId, { byte: 9, offset: SIZE, length: MiB })
    await expectSnapshot(driver(), ref, bytesOf(SIZE, EARLY))
  })

  test('with a part missing is notFound, to fewer bytes invalid, and the volume is as it was', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    await write(driver(), volumeId, LATE)
    for (const missing of [{ snapshotId: randomUUID() }, { volumeId: randomUUID() }]) {
      const revert = driver().revertVolume({ ...ref, ...missing, sizeBytes: SIZE })
      await expect(revert).rejects.toMatchObject({ kind: 'notFound' })
    }
    const smaller = driver().revertVolume({ ...ref, sizeBytes: SIZE - MiB })
    await expect(smaller).rejects.toMatchObject({ kind: 'invalid' })
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY, LATE))
    expect(await driver().list()).toEqual({ volumeIds: [volumeId], snapshots: [ref] })
  })
}

function replaceTests(driver: () => VolumeDriver): void {
  test('puts the new bytes in the place of the old, and leaves snapshots and clones as they are', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    const newVolumeId = randomUUID()
    await driver().cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE })
    const contentId = await newVolume(driver())
    await write(driver(), contentId, LATE)
    await driver().replaceVolume({ volumeId, contentId })
    await expectVolume(driver(), volumeId, bytesOf(SIZE, LATE))
    expect((await driver().list()).volumeIds.toSorted()).toEqual([newVolumeId, volumeId].toSorted())
    await expectSnapshot(driver(), ref, bytesOf(SIZE, EARLY))
    await expectVolume(driver(), newVolumeId, bytesOf(SIZE, EARLY))
    await write(driver(), volumeId, EARLY)
    await expectVolume(driver(), volumeId, bytesOf(SIZE, LATE, EARLY))
  })

  test('takes a changed clone of the volume itself', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    const contentId = randomUUID()
    await driver().cloneSnapshot({ ...ref, newVolumeId: contentId, sizeBytes: SIZE })
    await driver().deleteSnapshot(ref)
    await write(driver(), contentId, LATE)
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY))
    await driver().replaceVolume({ volumeId, contentId })
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY, LATE))
    expect(await driver().list()).toEqual({ volumeIds: [volumeId], snapshots: [] })
  })

  test('changes nothing when it is repeated, not even after the volume was written', async () => {
    const volumeId = await newVolume(driver())
    const contentId = await newVolume(driver())
    await driver().replaceVolume({ volumeId, contentId })
    await write(driver(), volumeId, EARLY)
    await driver().replaceVolume({ volumeId, contentId })
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY))
  })

  test('without either volume is notFound', async () => {
    const ids = { volumeId: randomUUID(), contentId: randomUUID() }
    await expect(driver().replaceVolume(ids)).rejects.toMatchObject({ kind: 'notFound' })
  })
}

function deleteTests(driver: () => VolumeDriver): void {
  test('a volume leaves its snapshots and their clones', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    const newVolumeId = randomUUID()
    await driver().cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE })
    await driver().deleteVolume({ volumeId })
    await expect(driver().openVolume({ volumeId, access: 'read' })).rejects.toMatchObject({
      kind: 'notFound',
    })
    await expectSnapshot(driver(), ref, bytesOf(SIZE, EARLY))
    await expectVolume(driver(), newVolumeId, bytesOf(SIZE, EARLY))
  })

  test('a snapshot leaves its volume, later snapshots and clones', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    const newVolumeId = randomUUID()
    await driver().cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE })
    await write(driver(), volumeId, LATE)
    const later = await newSnapshot(driver(), volumeId)
    await driver().deleteSnapshot(ref)
    await expect(driver().openSnapshot(ref)).rejects.toMatchObject({ kind: 'notFound' })
    await write(driver(), newVolumeId, { ...LATE, byte: 7 })
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY, LATE))
    await expectSnapshot(driver(), later, bytesOf(SIZE, EARLY, LATE))
    await expectVolume(driver(), newVolumeId, bytesOf(SIZE, EARLY, { ...LATE, byte: 7 }))
  })

  test('what does not exist is fine, and so is deleting twice', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    for (let time = 0; time < 2; time++) {
      await driver().deleteSnapshot(ref)
      await driver().deleteVolume({ volumeId })
    }
    await driver().deleteVolume({ volumeId: randomUUID() })
    expect(await driver().list()).toEqual({ volumeIds: [], snapshots: [] })
  })
}

function wholeTests(driver: () => VolumeDriver): void {
  test.each([
    '',
    '..',
    '../../etc/passwd',
    'a/b',
    'volume',
    `${randomUUID()}/`,
    randomUUID().toUpperCase(),
    `${randomUUID()}~`,
  ])('refuses the id %j everywhere', async (id) => {
    const good = randomUUID()
    const calls = [
      driver().createVolume({ volumeId: id, sizeBytes: SIZE }),
      driver().deleteVolume({ volumeId: id }),
      driver().createSnapshot({ volumeId: good, snapshotId: id }),
      driver().deleteSnapshot({ volumeId: id, snapshotId: good }),
      driver().cloneSnapshot({ volumeId: good, snapshotId: good, newVolumeId: id, sizeBytes: SIZE }),
      driver().extendVolume({ volumeId: id, sizeBytes: SIZE }),
      driver().revertVolume({ volumeId: good, snapshotId: id, sizeBytes: SIZE }),
      driver().openVolume({ volumeId: id, access: 'write' }),
      driver().openSnapshot({ volumeId: good, snapshotId: id }),
      driver().changedRanges({ volumeId: good, fromSnapshotId: id, toSnapshotId: good }),
      driver().changedRanges({ volumeId: good, fromSnapshotId: good, toSnapshotId: id }),
      driver().replaceVolume({ volumeId: good, contentId: id }),
      driver().replaceVolume({ volumeId: id, contentId: good }),
    ]
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({ status: 'rejected', reason: { name: 'DriverError', kind: 'invalid' } })
    }
  })

  test('lists what it keeps', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    const other = await newVolume(driver())
    const { volumeIds, snapshots } = await driver().list()
    expect(volumeIds.toSorted()).toEqual([volumeId, other].toSorted())
    expect(snapshots).toEqual([ref])
  })

  test('knows how much room there is', async () => {
    const { totalBytes, freeBytes } = await driver().capacity()
    expect(totalBytes).toBeGreaterThan(0)
    expect(freeBytes).toBeGreaterThan(0)
    expect(freeBytes).toBeLessThanOrEqual(totalBytes)
  })

  test('a plain file, where there is one, holds exactly the bytes', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    for (const device of [
      await driver().openSnapshot(ref),
      await driver().openVolume({ volumeId, access: 'read' }),
    ]) {
      expect(device.sizeBytes).toBe(SIZE)
      if (device.plainFile !== undefined)
        expect(await readFile(device.plainFile)).toEqual(bytesOf(SIZE, EARLY))
      await device.close()
      await device.close()
    }
  })

  test('calls for different volumes do not disturb each other', async () => {
    const { ref } = await volumeWithSnapshot(driver())
    const ids = Array.from({ length: 8 }, () => randomUUID())
    await Promise.all(
      ids.map(async (newVolumeId, index) => {
        await driver().cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE })
        await write(driver(), newVolumeId, { ...LATE, byte: index })
        const own = await newSnapshot(driver(), newVolumeId)
        if (index % 2 === 0) await driver().deleteSnapshot(own)
      }),
    )
    for (const [index, id] of ids.entries()) {
      await expectVolume(driver(), id, bytesOf(SIZE, EARLY, { ...LATE, byte: index }))
    }
  })
}
