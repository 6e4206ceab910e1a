/** Parts of a cluster go away in the middle of something, and come back. The cluster is this file's own. */
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openWriter } from '../../../block-io/writer.ts'
import { MiB } from '../../../domain/sizes.ts'
import { openImageStore } from '../../../drivers/images/registry.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { type CephCluster, startCephCluster } from '../../../scripts/ceph/cluster.ts'
import { configOf, HAS_CEPH, isFull, newPlaceIn, setQuota, TRIED_TWICE } from '../../support/ceph-cluster.ts'
import { EARLY, expectVolume, LATE, newVolume, SIZE, write } from './contract-steps.ts'
import { bytesOf } from './device-bytes.ts'

let cluster: CephCluster

beforeAll(async () => {
  if (!HAS_CEPH) return
  cluster = await startCephCluster()
  return () => cluster.stop()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', TRIED_TWICE, () => {
  test('while an OSD is down writes and calls wait, and go on when it is back', async () => {
    const driver = await openHere()
    const volumeId = await newVolume(driver)
    await using writer = await writerOf(driver, volumeId)
    await writer.write({ byte: 1, offset: 0, length: MiB })
    await cluster.osd.kill()
    const made = randomUUID()
    const waiting = [
      writer.write({ byte: 2, offset: MiB, length: MiB }),
      driver.createVolume({ volumeId: made, sizeBytes: SIZE }),
    ]
    expect(await isPending(waiting[0], 5_000)).toBe(true)
    await cluster.osd.startAgain()
    await Promise.all(waiting)
    await writer.close()
    const expected = bytesOf(SIZE, { byte: 1, offset: 0, length: MiB }, { byte: 2, offset: MiB, length: MiB })
    await expectVolume(driver, volumeId, expected)
    await expectVolume(driver, made, bytesOf(SIZE))
  }, 300_000)

  test('while a pool is over its quota writes and calls wait, and go on when it is lifted', async () => {
    const driver = await openHere()
    const [volumeId, deleted] = [await newVolume(driver), await newVolume(driver)]
    for (const id of [volumeId, deleted]) await write(driver, id, EARLY)
    await using writer = await writerOf(driver, volumeId)
    onTestFinished(() => setQuota(cluster, 'volumes', 0))
    await setQuota(cluster, 'volumes', MiB)
    await expect.poll(() => isFull(cluster, 'volumes'), { timeout: 30_000 }).toBe(true)
    expect(await driver.capacity()).toMatchObject({ freeBytes: 0 })
    const late = writer.write(LATE)
    late.catch(() => undefined)
    // To open an image is a write, and so is to put it into the trash.
    const deletion = driver.deleteVolume({ volumeId: deleted })
    expect(await isPending(Promise.race([late, deletion]), 5_000)).toBe(true)
    await setQuota(cluster, 'volumes', 0)
    await Promise.all([late, deletion])
    await writer.close()
    await expectVolume(driver, volumeId, bytesOf(SIZE, EARLY, LATE))
    expect(await driver.list()).toEqual({ volumeIds: [volumeId], snapshots: [] })
  }, 300_000)

  test('what cannot be removed for want of room is not said to be gone', async () => {
    const store = await openImageStore(await configOf(await newPlaceIn(cluster, 'images')))
    const imageId = randomUUID()
    const progress = { sizeMaxBytes: SIZE, signal: new AbortController().signal, onBytes: () => undefined }
    await store.writeStage(imageId, Readable.from([Buffer.alloc(2 * MiB, 1)]), progress)
    onTestFinished(() => setQuota(cluster, 'images', 0))
    await setQuota(cluster, 'images', MiB)
    await expect.poll(() => isFull(cluster, 'images'), { timeout: 30_000 }).toBe(true)
    await expect(store.discardStage(imageId)).rejects.toMatchObject({ kind: 'transient' })
    await setQuota(cluster, 'images', 0)
    await store.discardStage(imageId)
    expect(await store.list()).toEqual({ imageIds: [], stageIds: [] })
  }, 300_000)

  test('while the monitor does not answer writers go on, calls are worth another try, and nothing is said to be missing', async () => {
    const driver = await openHere()
    const volumeId = await newVolume(driver)
    await using writer = await writerOf(driver, volumeId)
    const [made, missing] = [randomUUID(), randomUUID()]
    cluster.mon.pause()
    try {
      await writer.write(EARLY)
      const calls = await Promise.allSettled([
        driver.createVolume({ volumeId: made, sizeBytes: SIZE }),
        driver.openVolume({ volumeId: missing, access: 'read' }),
        driver.deleteVolume({ volumeId: missing }),
      ])
      for (const call of calls)
        expect(call).toMatchObject({ status: 'rejected', reason: { kind: 'transient' } })
    } finally {
      cluster.mon.goOn()
    }
    await writer.close()
    await driver.createVolume({ volumeId: made, sizeBytes: SIZE })
    await driver.deleteVolume({ volumeId: missing })
    await expectVolume(driver, volumeId, bytesOf(SIZE, EARLY))
  }, 300_000)
})

async function openHere() {
  return openVolumeDriver(await configOf(await newPlaceIn(cluster)))
}

type Driver = Awaited<ReturnType<typeof openHere>>

async function writerOf(driver: Driver, volumeId: string) {
  const device = await driver.openVolume({ volumeId, access: 'write' })
  if (device.served === undefined) throw new Error('Expected a server')
  const writer = await openWriter(device.served)
  let closing: Promise<void> | undefined
  const close = () => (closing ??= writer.close().then(() => device.close()))
  return {
    /** Resolves when it is on the disk. */
    write: async ({ byte, offset, length }: { byte: number; offset: number; length: number }) => {
      await writer.write(Buffer.alloc(length, byte), offset)
      await writer.flush()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function isPending(call: Promise<unknown> | undefined, forMs: number): Promise<boolean> {
  return Promise.race([call?.then(() => false), sleep(forMs, true)]) as Promise<boolean>
}
