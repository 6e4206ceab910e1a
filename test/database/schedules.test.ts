import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventsAfter } from '../../database/events/read.ts'
import type { Database } from '../../database/open.ts'
import { undispatchedOperations } from '../../database/operations/dispatch.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVolumeDeletion } from '../../database/requests/delete-volume.ts'
import { listRuns, requireSchedule } from '../../database/schedules/read.ts'
import { endStuckRuns, settleRange, unsettledRange } from '../../database/schedules/runs.ts'
import { requestRun, startPlannedRun } from '../../database/schedules/start-run.ts'
import { createSchedule, type ScheduleRequest, setPaused } from '../../database/schedules/write.ts'
import { timesBetween } from '../../domain/schedule-times.ts'
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

/** Hourly, with a catch-up window of ten minutes. */
async function schedule(request: Partial<ScheduleRequest> = {}): Promise<string> {
  const wanted = {
    ...{ name: 'hourly', volumes: { ids: [volumeId] }, intervalSeconds: 3600, catchUpSeconds: 600 },
    ...request,
  }
  return (await createSchedule(database, actor(), PLACES, wanted)).resourceId
}

const AT = (hour: number) => `2030-01-01T0${hour}:00:00.000Z`

/** The run of an hour, some minutes later. */
function run(scheduleId: string, hour: number, minutesLater = 0) {
  const planned = { scheduleId, scheduledAt: AT(hour) }
  return startPlannedRun(database, PLACES, planned, Date.parse(AT(hour)) + minutesLater * 60_000)
}

const runsOf = (scheduleId: string) => listRuns(database, { scheduleId, projectId: 'p1', limit: 100 })

const scheduleRow = (id: string) => requireSchedule(database, { id, projectId: 'p1' })

async function finishLast(scheduleId: string, outcome: 'succeeded' | 'failed' = 'succeeded'): Promise<void> {
  await finish(database, (await runsOf(scheduleId))[0]?.operationId ?? null, { outcome })
}

test('a run that is started twice makes one backup, named after the schedule and behind the work of users', async () => {
  const id = await schedule()
  expect(await run(id, 1)).toEqual({ outcome: 'started' })
  expect(await run(id, 1)).toEqual({ outcome: 'started' })
  const [only, ...others] = await runsOf(id)
  expect(others).toEqual([])
  expect(only).toMatchObject({
    scheduledAt: AT(1),
    outcome: 'started',
    reason: null,
    manual: 0,
    incremental: 0,
  })
  const backups = await database.selectFrom('backups').selectAll().execute()
  expect(backups).toMatchObject([{ id: only?.backupId, name: `hourly ${AT(1)}`, target: 'local', volumeId }])
  const operation = await database
    .selectFrom('operations')
    .selectAll()
    .where('kind', '=', 'create-backup')
    .executeTakeFirstOrThrow()
  expect(operation).toMatchObject({ id: only?.operationId, priority: 4, projectId: 'p1', userId: 'u1' })
  const later = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  const inOrder = await undispatchedOperations(database, 10)
  expect(inOrder.map((next) => next.id)).toEqual([later.operationId, operation.id])
})

test('while the volume is busy a run waits with the reason, then starts, or is skipped when its window ends', async () => {
  const id = await schedule()
  const deletion = await requestVolumeDeletion(database, actor(), volumeId)
  expect(await run(id, 1)).toEqual({ retryInMs: 2_000 })
  expect(await run(id, 1, 2)).toEqual({ retryInMs: 120_000 })
  expect(await run(id, 1, 9)).toEqual({ retryInMs: 60_000 })
  const reason = expect.stringContaining(`held by operation ${deletion.operationId}`) as string
  expect(await runsOf(id)).toMatchObject([
    { outcome: 'waiting', reason, backupId: null, waitsUntil: '2030-01-01T01:10:00.000Z' },
  ])
  expect(await run(id, 1, 10)).toEqual({ outcome: 'skipped' })
  expect(await runsOf(id)).toMatchObject([{ outcome: 'skipped', reason, backupId: null }])
  expect(await run(id, 2)).toMatchObject({ retryInMs: 2_000 })
  await finish(database, deletion.operationId, { outcome: 'cancelled' })
  expect(await run(id, 2, 1)).toEqual({ outcome: 'started' })
  expect((await runsOf(id))[0]).toMatchObject({ scheduledAt: AT(2), outcome: 'started', reason: null })
  expect(await database.selectFrom('backups').select('id').execute()).toHaveLength(1)
})

test('a run whose predecessor still goes on is skipped and says so', async () => {
  const id = await schedule()
  await run(id, 1)
  const holder = (await runsOf(id))[0]?.operationId
  expect(await run(id, 2)).toEqual({ outcome: 'skipped' })
  const reason = `The run of ${AT(1)} still goes on as operation ${holder}.`
  expect((await runsOf(id))[0]).toMatchObject({ outcome: 'skipped', reason })
  await finish(database, holder ?? null)
  expect(await run(id, 3)).toEqual({ outcome: 'started' })
})

test('with overlap "wait" it starts when its predecessor has ended', async () => {
  const id = await schedule({ overlap: 'wait' })
  await run(id, 1)
  const first = (await runsOf(id))[0]?.operationId ?? null
  expect(await run(id, 2)).toMatchObject({ retryInMs: 2_000 })
  await finish(database, first)
  expect(await run(id, 2, 1)).toEqual({ outcome: 'started' })
})

test('one in three backups is full; a failed one does not count, and without a good one each is', async () => {
  const id = await schedule({ fullEvery: 3 })
  const kinds = []
  for (const [hour, outcome] of (
    ['failed', 'succeeded', 'succeeded', 'failed', 'succeeded', 'succeeded'] as const
  ).entries()) {
    await run(id, hour)
    await finishLast(id, outcome)
    kinds.push((await runsOf(id))[0]?.incremental)
  }
  expect(kinds).toEqual([0, 0, 1, 1, 1, 0])
})

test('always incremental: only the first one is full', async () => {
  const id = await schedule({ fullEvery: null })
  for (const hour of [1, 2, 3]) {
    await run(id, hour)
    await finishLast(id)
  }
  expect((await runsOf(id)).map(({ incremental }) => incremental)).toEqual([1, 1, 0])
})

test('a paused schedule starts nothing, but can be run by hand; a deleted one is silent', async () => {
  const id = await schedule({ paused: true })
  expect(await run(id, 1)).toEqual({ outcome: 'skipped' })
  expect(await runsOf(id)).toMatchObject([{ outcome: 'skipped', reason: 'The schedule was paused.' }])
  const [manual] = await requestRun(database, actor(), PLACES, id)
  const overlapping = requestRun(database, actor(), PLACES, id)
  await expect(overlapping).rejects.toMatchObject({
    status: 409,
    code: 'runOverlaps',
    holderOperationId: manual?.operationId,
  })
  await expect(requestRun(database, actor('p2'), PLACES, id)).rejects.toMatchObject({ status: 404 })
  await database.deleteFrom('schedules').execute()
  expect(await run(id, 2)).toEqual({ outcome: 'skipped' })
})

test('a volume that is gone, and a target that is no longer configured, are recorded as the reason', async () => {
  const id = await schedule({ target: 's3' })
  const planned = { scheduleId: id, scheduledAt: AT(1) }
  const without = { ...PLACES, targets: ['local'] }
  expect(await startPlannedRun(database, without, planned, Date.parse(AT(1)))).toEqual({
    outcome: 'failed-to-start',
  })
  await finish(database, (await requestVolumeDeletion(database, actor(), volumeId)).operationId)
  expect(await run(id, 2)).toEqual({ outcome: 'failed-to-start' })
  expect((await runsOf(id)).map(({ reason }) => reason)).toEqual([
    `Volume ${volumeId} could not be found.`,
    'Expected a configured target, got s3; configured are: local.',
  ])
  expect(await database.selectFrom('backups').select('id').execute()).toEqual([])
})

test('planned times without a run are missed, once, and only after their catch-up window', async () => {
  const id = await schedule()
  await database
    .updateTable('schedules')
    .set({ watchedUntil: AT(0) })
    .execute()
  const settle = async (nowMs: number) => {
    const row = await scheduleRow(id)
    const range = unsettledRange(row, nowMs)
    if (range === undefined) return
    const planned = timesBetween(row, range.afterMs, range.untilMs, 100)
    await settleRange(database, row, range, planned)
  }
  await run(id, 2)
  const threeMs = Date.parse(AT(3))
  await settle(threeMs + 629_000)
  await settle(threeMs + 629_000)
  const outcomes = async () => (await runsOf(id)).map(({ scheduledAt, outcome }) => [scheduledAt, outcome])
  expect(await outcomes()).toEqual([
    [AT(2), 'started'],
    [AT(1), 'missed'],
  ])
  await settle(threeMs + 630_000)
  expect((await outcomes())[0]).toEqual([AT(3), 'missed'])
  const events = await eventsAfter(database, { projectId: 'p1', resourceId: id }, { afterId: 0, limit: 100 })
  expect(events).toMatchObject([
    { type: 'run-missed', operation: null, schedule: { id, volumeId: null, scheduledAt: AT(1) } },
    { type: 'run-missed', operation: null, schedule: { id, volumeId: null, scheduledAt: AT(3) } },
  ])
  expect(await run(id, 3, 11)).toEqual({ outcome: 'missed' })
  expect(await run(id, 4, 11)).toEqual({ outcome: 'missed' })
  await setPaused(database, { id, projectId: 'p1' }, { paused: true })
  await database
    .updateTable('schedules')
    .set({ watchedUntil: AT(4) })
    .execute()
  expect(unsettledRange(await scheduleRow(id), Date.parse(AT(9)))).toBeUndefined()
})

test('after a long outage the newest hundred missed times are looked for, and of all runs a thousand are kept', async () => {
  const id = await schedule({ intervalSeconds: 60 })
  await database
    .updateTable('schedules')
    .set({ watchedUntil: AT(0) })
    .execute()
  const row = await scheduleRow(id)
  const range = unsettledRange(row, Date.parse(AT(9)))
  expect(range).toEqual({
    afterMs: Date.parse('2030-01-01T07:10:00Z') - 1,
    untilMs: Date.parse(AT(9)) - 630_000,
  })
  const times = Array.from({ length: 1_001 }, (_, minute) => Date.parse(AT(0)) + minute * 60_000)
  if (range !== undefined) await settleRange(database, row, range, times)
  const kept = await listRuns(database, { scheduleId: id, projectId: 'p1', limit: 2_000 })
  expect(kept).toHaveLength(1_000)
  expect(kept.at(-1)?.scheduledAt).toBe('2030-01-01T00:01:00.000Z')
})

test('a waiting run that lost its workflow ends when its window has', async () => {
  const id = await schedule()
  await requestVolumeDeletion(database, actor(), volumeId)
  await run(id, 1)
  await endStuckRuns(database, Date.parse(AT(1)) + 629_000)
  expect(await runsOf(id)).toMatchObject([{ outcome: 'waiting' }])
  await endStuckRuns(database, Date.parse(AT(1)) + 630_000)
  expect(await runsOf(id)).toMatchObject([{ outcome: 'skipped' }])
})
