import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Database } from '../../database/open.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { startableOperation } from '../../database/operations/dispatch.ts'
import { endOperation } from '../../database/operations/end.ts'
import { requestBackup } from '../../database/requests/backups.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVolumeDeletion } from '../../database/requests/delete-volume.ts'
import { requestVolumeExtension } from '../../database/requests/extend-volume.ts'
import { requestMerge } from '../../database/requests/merge-layers.ts'
import { requestSnapshot, requestSnapshotDeletion } from '../../database/requests/snapshots.ts'
import { LIMITS } from '../../domain/limits.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, temporaryDatabase } from './database-fixture.ts'

let database: Database
let close: () => Promise<void>

beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
})
afterEach(() => close())

/** A volume whose snapshot was deleted. */
async function restingVolume(): Promise<string> {
  const volume = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await finish(database, volume.operationId)
  const volumeId = volume.resourceId
  const snapshot = await requestSnapshot(database, actor(), { volumeId })
  await finish(database, snapshot.operationId)
  await finish(database, (await requestSnapshotDeletion(database, actor(), snapshot.resourceId)).operationId)
  return volumeId
}

const later = () => Date.now() + LIMITS.mergeIdleMs + 1
const merges = () =>
  database.selectFrom('operations').selectAll().where('kind', '=', 'merge-layers').execute()
const openMerge = async () => (await merges()).find(({ finishedAt }) => finishedAt === null)?.id ?? ''
const dueInMs = async () => {
  const [row] = await database.selectFrom('mergeableVolumes').selectAll().execute()
  return row === undefined ? undefined : Number(row.dueAtMs) - Date.now()
}

test('a volume that has lost a snapshot is merged when it has rested, one volume of a backend at a time', async () => {
  const first = await restingVolume()
  await restingVolume()
  await requestMerge(database, 'files', Date.now())
  expect(await merges()).toEqual([])
  await requestMerge(database, 'files', later())
  await requestMerge(database, 'files', later())
  expect(await merges()).toMatchObject([{ resourceId: first, state: 'pending', priority: 5 }])
  await finish(database, await openMerge(), { outcome: 'succeeded', result: { path: 'merge' } })
  await requestMerge(database, 'files', later())
  expect(await merges()).toHaveLength(2)
  expect(await dueInMs()).toBeUndefined()
})

test('a volume that is used is left for later, and one that is gone for ever', async () => {
  const volumeId = await restingVolume()
  const { operationId } = await requestSnapshot(database, actor(), { volumeId })
  await requestMerge(database, 'files', later())
  expect(await merges()).toEqual([])
  expect(await dueInMs()).toBeGreaterThan(LIMITS.mergeIdleMs / 2)
  await finish(database, operationId, { outcome: 'failed' })
  await database.deleteFrom('volumes').execute()
  await requestMerge(database, 'files', later())
  expect([await merges(), await dueInMs()]).toEqual([[], undefined])
})

test('whoever wants the volume gets it: a merge that waits ends, one that runs is cancelled and waited for', async () => {
  const volumeId = await restingVolume()
  await requestMerge(database, 'files', later())
  const extension = await requestVolumeExtension(database, actor(), volumeId, { sizeBytes: 2 * MiB })
  expect(await merges()).toMatchObject([{ state: 'cancelled' }])
  expect(await startableOperation(database, extension.operationId ?? '')).toBeDefined()
  await finish(database, extension.operationId, { outcome: 'succeeded', result: { sizeBytes: 2 * MiB } })

  await requestMerge(database, 'files', later())
  const merge = await openMerge()
  await beginOperation(database, merge)
  const backup = await requestBackup(database, actor(), PLACES, { volumeId })
  const snapshot = await requestSnapshot(database, actor(), { volumeId })
  expect((await merges()).find(({ id }) => id === merge)?.cancelRequestedAt).not.toBeNull()
  await expect(requestVolumeDeletion(database, actor(), volumeId)).rejects.toMatchObject({
    status: 409,
    holderOperationId: expect.not.stringMatching(merge) as string,
  })
  for (const { operationId } of [backup, snapshot])
    expect(await startableOperation(database, operationId ?? '')).toBeUndefined()
  await endOperation(database, merge, { outcome: 'cancelled' })
  for (const { operationId } of [backup, snapshot])
    expect(await startableOperation(database, operationId ?? '')).toBeDefined()
})

test.each([
  ['cancelled', { outcome: 'cancelled' }, LIMITS.mergeIdleMs],
  ['failed', { outcome: 'failed' }, LIMITS.mergeRetryMs],
  [
    'in vain because a guest has a layer open',
    { outcome: 'succeeded', result: { path: 'open' } },
    LIMITS.mergeRetryMs,
  ],
] as const)('a merge that was %s is tried again', async (_what, end, delayMs) => {
  await restingVolume()
  await requestMerge(database, 'files', later())
  await finish(database, await openMerge(), end)
  expect(Math.abs(((await dueInMs()) ?? 0) - delayMs)).toBeLessThan(10_000)
})
