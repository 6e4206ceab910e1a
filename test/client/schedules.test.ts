import { Client, Connection, ScheduleNotFoundError } from '@temporalio/client'
import { msToTs } from '@temporalio/common/lib/time.js'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { applyChangedSchedules, reconcileSchedules } from '../../client/schedules.ts'
import type { Database } from '../../database/open.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { listRuns, requireSchedule } from '../../database/schedules/read.ts'
import {
  createSchedule,
  deleteSchedule,
  type ScheduleRequest,
  setPaused,
  updateSchedule,
} from '../../database/schedules/write.ts'
import { MISSED_REASON } from '../../database/schedules/runs.ts'
import { nextTimes } from '../../domain/schedule-times.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, temporaryDatabase } from '../database/database-fixture.ts'
import { sharedTemporal } from '../support/shared-temporal.ts'

let client: Client
let database: Database
let close: () => Promise<void>
let volumeId: string

beforeAll(async () => {
  client = new Client({ connection: await Connection.connect({ address: await sharedTemporal() }) })
}, 60_000)
afterAll(() => client.connection.close())
beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
  const volume = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await finish(database, volume.operationId)
  volumeId = volume.resourceId
})
afterEach(async () => {
  await database.deleteFrom('schedules').execute()
  await reconcileSchedules(client, database)
  await close()
})

async function create(request: Partial<ScheduleRequest>) {
  const wanted = { name: 's', volumes: { ids: [volumeId] }, ...request }
  const { resourceId: id } = await createSchedule(database, actor(), PLACES, wanted)
  return { id, projectId: 'p1' }
}

const handleOf = (id: string) => client.schedule.getHandle(`scheduled-backup/${id}`)

test('a schedule that was written is created in Temporal, changed and paused with its row', async () => {
  const key = await create({
    cron: '30 2 * * mon',
    timeZone: 'Europe/Berlin',
    catchUpSeconds: 600,
    jitterSeconds: 30,
  })
  await applyChangedSchedules(client, database)
  const created = await handleOf(key.id).describe()
  expect(created).toMatchObject({
    spec: { timezone: 'Europe/Berlin', jitter: 30_000 },
    policies: { catchupWindow: 600_000, pauseOnFailure: false },
    state: { paused: false },
    action: { workflowType: 'scheduledBackup', taskQueue: 'control', args: [{ scheduleId: key.id }] },
  })
  expect(await requireSchedule(database, key)).toMatchObject({
    generation: 1,
    appliedGeneration: 1,
    applyError: null,
  })
  await updateSchedule(database, PLACES, key, { intervalSeconds: 3600 })
  await setPaused(database, key, { paused: true })
  await applyChangedSchedules(client, database)
  const changed = await handleOf(key.id).describe()
  expect(changed.state.paused).toBe(true)
  expect(changed.spec).toMatchObject({ calendars: [], intervals: [{ every: 3_600_000 }] })
  expect(await requireSchedule(database, key)).toMatchObject({ generation: 3, appliedGeneration: 3 })
})

test('what is deleted, paused or changed behind our back in Temporal is put back, and the rest is left alone', async () => {
  const [gone, paused, changed, calm] = await Promise.all([
    ...['gone', 'paused', 'changed', 'calm'].map((name) => create({ name, intervalSeconds: 3600 })),
  ])
  if (gone === undefined || paused === undefined || changed === undefined || calm === undefined)
    throw new Error()
  await reconcileSchedules(client, database)
  await handleOf(gone.id).delete()
  await handleOf(paused.id).pause('by hand')
  await handleOf(changed.id).update(({ spec, ...rest }) => ({
    ...rest,
    spec: { ...spec, intervals: [{ every: '1m' }] },
  }))
  await reconcileSchedules(client, database)
  expect((await handleOf(gone.id).describe()).state.paused).toBe(false)
  expect((await handleOf(paused.id).describe()).state.paused).toBe(false)
  expect((await handleOf(changed.id).describe()).spec.intervals).toMatchObject([{ every: 3_600_000 }])
  expect((await handleOf(calm.id).describe()).info.lastUpdatedAt).toBeUndefined()
})

test('a schedule in Temporal without a row is deleted, and one that is not ours is not', async () => {
  const key = await create({ intervalSeconds: 3600 })
  const action = { type: 'startWorkflow', workflowType: 'x', taskQueue: 'nobody' } as const
  const foreign = await client.schedule.create({ scheduleId: 'of-someone-else', spec: {}, action })
  await reconcileSchedules(client, database)
  await deleteSchedule(database, key)
  await expect
    .poll(async () => {
      await reconcileSchedules(client, database)
      return handleOf(key.id)
        .describe()
        .then(
          () => undefined,
          (error: unknown) => error,
        )
    })
    .toBeInstanceOf(ScheduleNotFoundError)
  expect((await foreign.describe()).scheduleId).toBe('of-someone-else')
  await foreign.delete()
})

test('a schedule whose volume is gone pauses itself and says why', async () => {
  const key = await create({ intervalSeconds: 3600 })
  await database.deleteFrom('volumes').execute()
  await reconcileSchedules(client, database)
  expect(await requireSchedule(database, key)).toMatchObject({
    paused: 1,
    note: expect.stringMatching(/none of its volumes exists/) as string,
  })
  expect((await handleOf(key.id).describe()).state.paused).toBe(true)
  await expect(setPaused(database, key, { paused: false })).rejects.toMatchObject({
    status: 404,
    code: 'volumeNotFound',
  })
})

test('what Temporal refuses is told with the schedule, and does not keep others waiting', async () => {
  const bad = await create({ cron: '0 0 * * *' })
  const good = await create({ intervalSeconds: 3600 })
  await database.updateTable('schedules').set({ timeZone: 'No/Where' }).where('id', '=', bad.id).execute()
  await applyChangedSchedules(client, database)
  await reconcileSchedules(client, database)
  expect(await requireSchedule(database, bad)).toMatchObject({
    appliedGeneration: 0,
    applyError: expect.stringMatching(/zone/i) as string,
  })
  expect(await requireSchedule(database, good)).toMatchObject({ appliedGeneration: 1, applyError: null })
  await updateSchedule(database, PLACES, bad, { timeZone: 'UTC' })
  await applyChangedSchedules(client, database)
  expect(await requireSchedule(database, bad)).toMatchObject({ appliedGeneration: 2, applyError: null })
})

test('planned times at which nothing was up are recorded as missed', async () => {
  const key = await create({ cron: '*/45 0-4 * * *', timeZone: 'Europe/Berlin', catchUpSeconds: 10 })
  const watchedUntil = new Date(Date.now() - 3 * 86_400_000).toISOString()
  await database.updateTable('schedules').set({ watchedUntil }).execute()
  await reconcileSchedules(client, database)
  await reconcileSchedules(client, database)
  const runs = await listRuns(database, { ...key, scheduleId: key.id, limit: 100 })
  expect(runs).toHaveLength(30)
  for (const { outcome, reason, scheduledAt } of runs) {
    expect({ outcome, reason }).toEqual({ outcome: 'missed', reason: MISSED_REASON })
    expect(scheduledAt > watchedUntil).toBe(true)
  }
  expect(new Set(runs.map(({ scheduledAt }) => scheduledAt.slice(14, 19)))).toEqual(
    new Set(['00:00', '45:00']),
  )
})

test.for<[string, string, string]>([
  ['30 2 * * *', 'Europe/Berlin', '2027-03-26T00:00:00Z'],
  ['30 2 * * *', 'Europe/Berlin', '2027-10-30T00:00:00Z'],
  ['*/45 0-4 * * *', 'Europe/Berlin', '2027-03-27T12:00:00Z'],
  ['*/45 0-4 * * *', 'America/New_York', '2027-03-13T12:00:00Z'],
  ['0 0,23 * * *', 'America/Santiago', '2027-09-03T00:00:00Z'],
  ['0 0 31 * *', 'Asia/Kathmandu', '2027-01-01T00:00:00Z'],
  ['5/30 8-10 1,15 jan-mar *', 'Pacific/Auckland', '2027-01-01T00:00:00Z'],
  ['0 12 * * fri-7', 'UTC', '2027-01-01T00:00:00Z'],
  ['0 0 29 2 *', 'UTC', '2027-01-01T00:00:00Z'],
])('the planned times of %s in %s are those of Temporal', async ([cron, timeZone, from]) => {
  const { id } = await create({ cron, timeZone })
  await applyChangedSchedules(client, database)
  const afterMs = Date.parse(from)
  const times = nextTimes({ cron, timeZone, intervalSeconds: null }, afterMs, 24).filter(
    (timeMs) => timeMs < afterMs + 5 * 366 * 86_400_000,
  )
  const { startTime } = await client.workflowService.listScheduleMatchingTimes({
    namespace: 'default',
    scheduleId: `scheduled-backup/${id}`,
    startTime: msToTs(afterMs),
    endTime: msToTs(times.at(-1) ?? 0),
  })
  expect(startTime.map(({ seconds }) => Number(seconds) * 1000)).toEqual(times)
})

test('intervals meet Temporal, too', async () => {
  const { id } = await create({ intervalSeconds: 5400 })
  await applyChangedSchedules(client, database)
  const { info } = await handleOf(id).describe()
  const times = nextTimes({ cron: null, timeZone: 'UTC', intervalSeconds: 5400 }, Date.now(), 5)
  expect(info.nextActionTimes.slice(0, 5).map(Number)).toEqual(times)
})
