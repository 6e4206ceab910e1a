/** What a look at a backup changes, and which looks happen by themselves. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepIfThere } from '../../activities/keep-if-there.ts'
import type { Database } from '../../database/open.ts'
import { enterBackup } from '../../database/operations/enter-backup.ts'
import { requestBackup } from '../../database/requests/backups.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVerification, type VerifyRequest } from '../../database/requests/verify-backup.ts'
import { startPlannedRun } from '../../database/schedules/start-run.ts'
import { verifyDue } from '../../database/schedules/verification.ts'
import { createSchedule } from '../../database/schedules/write.ts'
import { DriverError } from '../../domain/errors.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, temporaryDatabase } from './database-fixture.ts'

let database: Database
let close: () => Promise<void>
let volumeId: string

beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
  const volume = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await finish(database, volume.operationId)
  volumeId = volume.resourceId
})
afterEach(() => close())

async function backup(): Promise<string> {
  const { operationId, resourceId } = await requestBackup(database, actor(), PLACES, { volumeId })
  await finish(database, operationId)
  return resourceId
}

const row = (id: string) =>
  database.selectFrom('backups').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

async function verified(backupId: string, damagedObjects: number, how: Partial<VerifyRequest> = {}) {
  const request = { backupId, level: 'content', samplePercent: 100, ...how } as const
  const { operationId } = await requestVerification(database, actor(), PLACES, request)
  await finish(database, operationId, { outcome: 'succeeded', result: { damagedObjects } })
  return row(backupId)
}

test('a damaged backup is in error until a look at all that was damaged finds nothing', async () => {
  const id = await backup()
  expect(await verified(id, 0, { level: 'presence' })).toMatchObject({
    ...{ status: 'available', damagedObjects: 0, verifyLevel: 'presence', failReason: null },
  })
  expect(await verified(id, 3)).toMatchObject({ status: 'error', damagedObjects: 3, verifyLevel: 'content' })
  expect(await verified(id, 0, { level: 'presence' })).toMatchObject({ status: 'error', damagedObjects: 3 })
  expect(await verified(id, 1, { samplePercent: 10 })).toMatchObject({ status: 'error', damagedObjects: 3 })
  expect(await verified(id, 1, { level: 'quarantined' })).toMatchObject({
    status: 'error',
    damagedObjects: 1,
  })
  expect(await verified(id, 0, { level: 'quarantined' })).toMatchObject({
    ...{ status: 'available', damagedObjects: 0, verifyLevel: 'content', failReason: null },
  })
})

test('a backup that was never finished, or is not there, is not verified', async () => {
  const { operationId, resourceId } = await requestBackup(database, actor(), PLACES, { volumeId })
  const look = (backupId: string) =>
    requestVerification(database, actor(), PLACES, { backupId, level: 'content', samplePercent: 100 })
  await expect(look(resourceId)).rejects.toMatchObject({ status: 409, code: 'resourceBusy' })
  await finish(database, operationId, { outcome: 'failed', error: { code: 'full', message: 'full' } })
  await expect(look(resourceId)).rejects.toMatchObject({ status: 409, code: 'invalidStatus' })
  await expect(look('nowhere')).rejects.toMatchObject({ status: 404, code: 'backupNotFound' })
})

test('a restore is tried in a volume that is an artifact of the operation', async () => {
  const id = await backup()
  await requestVerification(database, actor(), PLACES, { backupId: id, level: 'restore', samplePercent: 100 })
  const volumes = database.selectFrom('artifacts').selectAll().where('kind', '=', 'volume')
  expect(await volumes.execute()).toMatchObject([{ place: 'files', purpose: 'temporary' }])
})

test('each new backup of a schedule is verified once as it says; one whose verification failed again after a day', async () => {
  const { resourceId: scheduleId } = await createSchedule(database, actor(), PLACES, {
    name: 's',
    volumes: { ids: [volumeId] },
    intervalSeconds: 3600,
    verification: { level: 'content', samplePercent: 25 },
  })
  await backup()
  const nowMs = Date.now()
  expect(await verifyDue(database, PLACES, nowMs)).toEqual([])
  const planned = { scheduleId, scheduledAt: new Date(nowMs).toISOString() }
  await startPlannedRun(database, PLACES, planned, nowMs)
  const { operationId } = await database.selectFrom('scheduleRuns').selectAll().executeTakeFirstOrThrow()
  expect(await verifyDue(database, PLACES, nowMs)).toEqual([])
  await finish(database, operationId)
  const [first, ...more] = await verifyDue(database, PLACES, nowMs)
  expect(more).toEqual([])
  expect(await verifyDue(database, PLACES, nowMs)).toEqual([])
  const operations = database.selectFrom('operations').selectAll().where('kind', '=', 'verify-backup')
  const [operation] = await operations.execute()
  expect(operation).toMatchObject({ id: first, priority: 4 })
  expect(JSON.parse(operation?.spec ?? '')).toMatchObject({ level: 'content', samplePercent: 25 })
  await finish(database, first ?? null, { outcome: 'failed', error: { code: 'exhausted', message: '' } })
  expect(await verifyDue(database, PLACES, nowMs)).toEqual([])
  const [again] = await verifyDue(database, PLACES, nowMs + 86_500_000)
  await finish(database, again ?? null, { outcome: 'succeeded', result: { damagedObjects: 0 } })
  expect(await verifyDue(database, PLACES, nowMs + 999_999_999)).toEqual([])
})

test('a damaged backup is looked at again when another one of its project was finished in the same target', async () => {
  const id = await backup()
  await verified(id, 1)
  expect(await verifyDue(database, PLACES, Date.now())).toEqual([])
  await new Promise((resolve) => setTimeout(resolve, 2))
  await backup()
  const [look] = await verifyDue(database, PLACES, Date.now())
  expect(await verifyDue(database, PLACES, Date.now())).toEqual([])
  await finish(database, look ?? null, { outcome: 'succeeded', result: { damagedObjects: 0 } })
  expect(await row(id)).toMatchObject({ status: 'available', damagedObjects: 0 })
})

test('a backup that is found in a target is entered once, and what is known stays as it is', async () => {
  const id = await backup()
  const found = {
    ...{ id: '11111111-2222-4333-8444-555555555555', projectId: 'p9', userId: 'u9', target: 'local' },
    ...{ volumeId: 'v', name: 'n', description: null, metadata: { a: 'b' }, snapshotId: null, parentId: id },
    ...{ sizeBytes: MiB, objectCount: 1, storedBytes: 2 },
    ...{ createdAt: '2026-01-01T00:00:00.000Z', dataTimestamp: '2026-01-01T00:00:00.000Z' },
  }
  expect(await enterBackup(database, found)).toBe(true)
  expect(await enterBackup(database, found)).toBe(false)
  expect(await enterBackup(database, { ...found, id })).toBe(false)
  expect(await enterBackup(database, { ...found, id: '../etc' })).toBe(false)
  expect(await row(found.id)).toMatchObject({ status: 'available', isIncremental: 1, metadata: '{"a":"b"}' })
  expect(await row(id)).toMatchObject({ projectId: 'p1' })
})

test('a row is withdrawn when its backup was deleted before it was entered, and stays when somebody uses it', async () => {
  const [gone, used] = [await backup(), await backup()]
  await requestVerification(database, actor(), PLACES, {
    backupId: used,
    level: 'content',
    samplePercent: 100,
  })
  const lost = () => Promise.reject(new DriverError('notFound', 'gone'))
  const away = () => Promise.reject(new DriverError('transient', 'away'))
  expect(await keepIfThere(database, gone, () => Promise.resolve())).toBe(true)
  await expect(keepIfThere(database, used, away)).rejects.toMatchObject({ kind: 'transient' })
  expect(await keepIfThere(database, gone, lost)).toBe(false)
  expect(await database.selectFrom('backups').select('id').execute()).toEqual([{ id: used }])
})
