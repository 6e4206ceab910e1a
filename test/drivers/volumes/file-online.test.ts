import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { StorageDaemonGuest } from '../../support/storage-daemon-guest.ts'
import { guest, openOnline, type Online } from './online-fixture.ts'

/** A snapshot holds what had been written when it was asked for, and nothing that was begun after it was there. */
async function expectMoment(here: Online, running: StorageDaemonGuest) {
  const ref = here.newRef()
  const before = running.written.ended
  await here.driver.createSnapshot({ ...ref, guest })
  const after = running.written.begun
  await running.writeMore(30)
  const writes = await here.snapshotWrites(ref)
  expect(writes).toBeGreaterThanOrEqual(before)
  expect(writes).toBeLessThanOrEqual(after)
  return { ref, writes }
}

test('a snapshot of a volume that a guest writes has all writes up to one moment, and the guest goes on', async () => {
  const here = await openOnline()
  await using running = await here.start()
  await running.writeMore(400)
  const first = await expectMoment(here, running)
  const second = await expectMoment(here, running)
  expect(second.writes).toBeGreaterThan(first.writes)
  expect(await here.layers()).toEqual(['0.raw', '1.qcow2', '2.qcow2'])
  // Repeated, it changes nothing.
  await here.driver.createSnapshot({ ...first.ref, guest })
  expect(await here.snapshotWrites(first.ref)).toBe(first.writes)
  await running.stopWriting()
  const { ended } = running.written
  await running.kill()
  expect(await here.volumeWrites()).toBe(ended)
  expect(await here.scratch()).toEqual([])
})

test('snapshots of one volume that are taken at the same time do not disturb each other', async () => {
  const here = await openOnline()
  await using running = await here.start()
  const refs = Array.from({ length: 6 }, () => here.newRef())
  await Promise.all(refs.map((ref) => here.driver.createSnapshot({ ...ref, guest })))
  await running.writeMore(30)
  for (const ref of refs) await here.snapshotWrites(ref)
  expect(await here.layers()).toHaveLength(7)
})

test('layers of deleted snapshots are merged by the guest, so that any number of snapshots is no more than two layers', async () => {
  const here = await openOnline()
  await using running = await here.start()
  for (let round = 0; round < 20; round++) {
    await running.writeMore(20)
    const { ref } = await expectMoment(here, running)
    await here.driver.deleteSnapshot(ref)
    await here.driver.compactVolume?.({ volumeId: here.volumeId, guest, signal: AbortSignal.timeout(20_000) })
    expect(await here.layers()).toHaveLength(2)
  }
  await running.stopWriting()
  await running.kill()
  expect(await here.volumeWrites()).toBe(running.written.ended)
  const { nlink } = await stat(join(here.config.path, 'volumes', here.volumeId, '0.raw'))
  expect(nlink).toBe(1)
})
