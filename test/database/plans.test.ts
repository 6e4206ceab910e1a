/** Schedules of several volumes, what they keep, and their alarms. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventsAfter } from '../../database/events/read.ts'
import type { Database } from '../../database/open.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVolumeDeletion } from '../../database/requests/delete-volume.ts'
import { alarmsOf, updateAlarms } from '../../database/schedules/alarms.ts'
import { listRuns, requireSchedule } from '../../database/schedules/read.ts'
import { applyRetention, retentionOf, schedulesToRetain } from '../../database/schedules/retention.ts'
import { requestRun, startPlannedRun } from '../../database/schedules/start-run.ts'
import { createSchedule, type ScheduleRequest, updateSchedule } from '../../database/schedules/write.ts'
import { pendingEvents } from '../../database/webhooks/pending.ts'
import { createWebhook } from '../../database/webhooks/write.ts'
import { timesBetween } from '../../domain/schedule-times.ts'
import { MiB } from '../../domain/sizes.ts'
import { modelKeeps } from '../domain/retention-model.ts'
import { actor, finish, PLACES, temporaryDatabase } from './database-fixture.ts'

const HOUR_MS = 3_600_000
const HOOK = { url: 'https://example.org/hook' }
const secretOf = (id: string, generation: number) => ({ fingerprint: `${id}/${generation}` })
const DAY_MS = 24 * HOUR_MS

let database: Database
let close: () => Promise<void>

beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
})
afterEach(() => close())

async function volume(metadata: Record<string, string> = {}): Promise<string> {
  const { operationId, resourceId } = await requestVolume(database, actor(), PLACES, {
    sizeBytes: MiB,
    metadata,
  })
  await finish(database, operationId)
  return resourceId
}

async function schedule(request: Partial<ScheduleRequest> & Pick<ScheduleRequest, 'volumes'>) {
  const timing = request.cron === undefined ? { intervalSeconds: 3600 } : {}
  const wanted = { name: 'plan', ...timing, catchUpSeconds: 600, ...request }
  const { resourceId: id } = await createSchedule(database, actor(), PLACES, wanted)
  return { id, projectId: 'p1', row: () => requireSchedule(database, { id, projectId: 'p1' }) }
}

const AT = '2030-01-01T01:00:00.000Z'

const run = (scheduleId: string, atMs = Date.parse(AT), laterMs = 0) =>
  startPlannedRun(database, PLACES, { scheduleId, scheduledAt: new Date(atMs).toISOString() }, atMs + laterMs)

const volumesOf = (runs: readonly { volumeId: string | null }[]) =>
  new Set(runs.map(({ volumeId }) => volumeId))

const runsOf = (scheduleId: string) => listRuns(database, { scheduleId, projectId: 'p1', limit: 1000 })

/** Ends what is under way, and dates the backups, as if they had been made at that time. */
async function finishBackups(
  atMs: number,
  outcome: (volumeId: string) => 'succeeded' | 'failed' = () => 'succeeded',
) {
  const open = await database
    .selectFrom('operations')
    .innerJoin('backups', 'backups.id', 'operations.resourceId')
    .select(['operations.id', 'backups.id as backupId', 'backups.volumeId', 'operations.kind'])
    .where('state', '=', 'pending')
    .execute()
  for (const { id, backupId, volumeId, kind } of open) {
    if (kind === 'create-backup')
      await database
        .updateTable('backups')
        .set({ dataTimestamp: new Date(atMs).toISOString() })
        .where('id', '=', backupId)
        .execute()
    await finish(database, id, { outcome: kind === 'create-backup' ? outcome(volumeId) : 'succeeded' })
  }
}

test('a schedule backs up what has its metadata at the planned time, each volume on its own', async () => {
  const gold = [await volume({ tier: 'gold', app: 'web' }), await volume({ tier: 'gold' })]
  await volume({ tier: 'silver' })
  const { id } = await schedule({ volumes: { metadata: { tier: 'gold' } } })
  expect(await run(id)).toEqual({ outcome: 'started' })
  const runs = await runsOf(id)
  expect(volumesOf(runs)).toEqual(new Set(gold))
  expect(runs.every(({ outcome }) => outcome === 'started')).toBe(true)
  const later = await volume({ tier: 'gold' })
  await finishBackups(Date.parse(AT))
  await run(id, Date.parse(AT) + HOUR_MS)
  const second = (await runsOf(id)).filter(({ scheduledAt }) => scheduledAt !== AT)
  expect(volumesOf(second)).toEqual(new Set([...gold, later]))
})

test('one busy volume waits on its own, and the run goes on until it has its backup or its window ends', async () => {
  const [busy, free] = [await volume(), await volume()]
  const deletion = await requestVolumeDeletion(database, actor(), busy)
  const { id } = await schedule({ volumes: { ids: [busy, free] } })
  expect(await run(id)).toMatchObject({ retryInMs: 2_000 })
  const outcomes = async () => new Map((await runsOf(id)).map(({ volumeId, outcome }) => [volumeId, outcome]))
  expect(await outcomes()).toEqual(
    new Map([
      [busy, 'waiting'],
      [free, 'started'],
    ]),
  )
  await finish(database, deletion.operationId, { outcome: 'cancelled' })
  expect(await run(id, Date.parse(AT), 60_000)).toEqual({ outcome: 'started' })
  expect(await outcomes()).toEqual(
    new Map([
      [busy, 'started'],
      [free, 'started'],
    ]),
  )
  expect(await database.selectFrom('backups').select('id').execute()).toHaveLength(2)
})

test('a hundred and twenty volumes are started in steps, each once', async () => {
  for (let count = 0; count < 120; count += 1)
    await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await database.deleteFrom('operationResources').execute()
  await database.updateTable('volumes').set({ status: 'available' }).execute()
  const { id } = await schedule({ volumes: { all: true } })
  expect(await run(id)).toEqual({ retryInMs: 1 })
  expect(await run(id)).toEqual({ retryInMs: 1 })
  expect(await run(id)).toEqual({ outcome: 'started' })
  expect(await runsOf(id)).toHaveLength(120)
  expect(await database.selectFrom('backups').select('id').execute()).toHaveLength(120)
})

test('no volume, too many volumes and unknown ones are told with the run or the request', async () => {
  const { id } = await schedule({ volumes: { volumeType: 'ssd' } })
  expect(await run(id)).toEqual({ outcome: 'skipped' })
  expect(await runsOf(id)).toMatchObject([
    { volumeId: null, reason: 'No volume is what the schedule asks for.' },
  ])
  await expect(requestRun(database, actor(), PLACES, id)).rejects.toMatchObject({
    status: 409,
    code: 'noVolumes',
  })
  const unknown = schedule({ volumes: { ids: [await volume(), 'nowhere'] } })
  await expect(unknown).rejects.toMatchObject({ status: 404, code: 'volumeNotFound' })
  const foreign = schedule({ volumes: { all: true } })
  await database.updateTable('volumes').set({ projectId: 'p2' }).execute()
  expect(await run((await foreign).id)).toEqual({ outcome: 'skipped' })
})

test('by hand each volume that can be is backed up, and the others say why not', async () => {
  const [busy, free] = [await volume(), await volume()]
  await requestVolumeDeletion(database, actor(), busy)
  const { id } = await schedule({ volumes: { ids: [busy, free] } })
  const runs = await requestRun(database, actor(), PLACES, id)
  const byVolume = new Map(runs.map((one) => [one.volumeId, one]))
  expect(byVolume.get(free)).toMatchObject({ outcome: 'started', manual: 1 })
  expect(byVolume.get(busy)).toMatchObject({
    outcome: 'skipped',
    reason: expect.stringContaining('held by') as string,
  })
})

test('what no rule keeps is deleted after a backup, per volume; what is held or by hand stays', async () => {
  const [first, second] = [await volume(), await volume()]
  const { id, row } = await schedule({
    volumes: { ids: [first, second] },
    retention: { last: 2 },
    fullEvery: null,
  })
  for (let hour = 0; hour < 3; hour += 1) {
    await run(id, Date.parse(AT) + hour * HOUR_MS)
    await finishBackups(Date.parse(AT) + hour * HOUR_MS)
  }
  const oldest = (await runsOf(id)).filter(({ scheduledAt }) => scheduledAt === AT)
  const held = oldest.find(({ volumeId }) => volumeId === first)?.backupId ?? ''
  await database.updateTable('backups').set({ status: 'restoring' }).where('id', '=', held).execute()
  const nowMs = Date.parse(AT) + 3 * HOUR_MS
  expect(await schedulesToRetain(database, nowMs)).toHaveLength(1)
  const decided = await retentionOf(database, await row(), nowMs)
  const dropped = decided.filter(({ keep }) => !keep).map(({ backup }) => backup.id)
  expect(new Set(dropped)).toEqual(new Set(oldest.map(({ backupId }) => backupId)))
  const deleted = await applyRetention(database, await row(), nowMs)
  expect(deleted.map(({ backupId }) => backupId)).toEqual(
    oldest.filter(({ volumeId }) => volumeId === second).map(({ backupId }) => backupId),
  )
  await finishBackups(nowMs)
  expect(await database.selectFrom('backups').select('id').execute()).toHaveLength(5)
  expect(await schedulesToRetain(database, nowMs + 1000)).toEqual([])
  await updateSchedule(database, PLACES, { id, projectId: 'p1' }, { retention: { last: 1 } })
  expect(await schedulesToRetain(database, nowMs + 1000)).toHaveLength(1)
})

test('an alarm is raised when two planned times passed without a good backup, and cleared by the next good one', async () => {
  const [calm, late] = [await volume(), await volume()]
  const { id, row } = await schedule({ volumes: { ids: [calm, late] } })
  const startMs = Date.now()
  const look = async (hour: number) => updateAlarms(database, await row(), startMs + hour * HOUR_MS)
  expect(await look(2)).toEqual({ raised: [], cleared: [] })
  await run(id, startMs + 2 * HOUR_MS)
  await finishBackups(startMs + 2 * HOUR_MS, (volumeId) => (volumeId === late ? 'failed' : 'succeeded'))
  expect(await look(3)).toMatchObject({ raised: [{ volumeId: late, lastGoodAt: null }], cleared: [] })
  expect(await look(3)).toEqual({ raised: [], cleared: [] })
  expect(await alarmsOf(database, id)).toMatchObject([{ volumeId: late }])
  await run(id, startMs + 3 * HOUR_MS)
  await finishBackups(startMs + 3 * HOUR_MS)
  expect(await look(4)).toEqual({ raised: [], cleared: [late] })
  await updateSchedule(database, PLACES, { id, projectId: 'p1' }, { alarmAfterSeconds: 60 })
  expect((await look(4)).raised.map(({ volumeId }) => volumeId).toSorted()).toEqual([calm, late].toSorted())
})

test('an alarm that is raised or cleared is an event, of which webhooks tell and which is found by its volume', async () => {
  const late = await volume()
  const { resourceId } = await createWebhook(database, actor(), HOOK, secretOf)
  const onlyBackups = await createWebhook(database, actor(), { ...HOOK, kinds: ['create-backup'] }, secretOf)
  const onlyAlarms = { ...HOOK, eventTypes: ['alarm-raised' as const] }
  const alarms = await createWebhook(database, actor(), onlyAlarms, secretOf)
  const { id, row } = await schedule({ volumes: { ids: [late] } })
  const startMs = Date.now()
  const look = async (hour: number) => updateAlarms(database, await row(), startMs + hour * HOUR_MS)
  await look(3)
  await look(3)
  await run(id, startMs + 3 * HOUR_MS)
  await finishBackups(startMs + 3 * HOUR_MS)
  await look(4)
  const told = async (webhookId: string) =>
    (await pendingEvents(database, webhookId, 0)).events
      .filter(({ operation }) => operation === null)
      .map(({ type }) => type)
  const filter = { projectId: 'p1', resourceId: late }
  const events = await eventsAfter(database, filter, { afterId: 0, limit: 100 })
  const { name } = await row()
  const news = { id, name, volumeId: late, lastGoodAt: null, scheduledAt: null }
  expect(events.filter(({ schedule: of }) => of !== null)).toMatchObject([
    { type: 'alarm-raised', operation: null, schedule: news },
    { type: 'alarm-cleared', operation: null, schedule: news },
  ])
  expect(await told(resourceId)).toEqual(['alarm-raised', 'alarm-cleared'])
  expect(await told(alarms.resourceId)).toEqual(['alarm-raised'])
  expect(await told(onlyBackups.resourceId)).toEqual([])
  expect(await eventsAfter(database, { projectId: 'p2' }, { afterId: 0, limit: 100 })).toEqual([])
})

test('thirty simulated days of a plan: what exists is what a simple model of retention leaves', async () => {
  const volumes = [await volume(), await volume()]
  const retention = { last: 3, daily: 7, weekly: 4 }
  const timing = { cron: '0 */12 * * *', timeZone: 'Europe/Berlin' }
  const { id, row } = await schedule({ volumes: { ids: volumes }, retention, fullEvery: 7, ...timing })
  const startMs = Date.parse('2030-03-15T00:00:00Z')
  const planned = timesBetween({ ...timing, intervalSeconds: null }, startMs, startMs + 30 * DAY_MS, 100)
  expect(planned).toHaveLength(60)
  const model = new Map(
    volumes.map((volumeId) => [volumeId, [] as { id: string; takenAtMs: number; good: boolean }[]]),
  )
  for (const [count, atMs] of planned.entries()) {
    // Each volume's every eleventh backup fails.
    const fails = (volumeId: string) => (count + volumes.indexOf(volumeId)) % 11 === 5
    await run(id, atMs)
    const made = await database.selectFrom('backups').selectAll().where('status', '=', 'creating').execute()
    for (const { id: backupId, volumeId } of made)
      model.get(volumeId)?.push({ id: backupId, takenAtMs: atMs, good: !fails(volumeId) })
    await finishBackups(atMs, (volumeId) => (fails(volumeId) ? 'failed' : 'succeeded'))
    await applyRetention(database, await row(), atMs)
    await finishBackups(atMs)
    for (const [volumeId, backups] of model) {
      const keeps = modelKeeps(backups, retention, atMs, timing.timeZone)
      model.set(
        volumeId,
        backups.filter((backup) => keeps.has(backup.id)),
      )
    }
    const exist = await database.selectFrom('backups').select('id').execute()
    expect(exist.map((backup) => backup.id).toSorted()).toEqual(
      [...model.values()]
        .flat()
        .map((backup) => backup.id)
        .toSorted(),
    )
  }
  expect(model.get(volumes[0] ?? '')?.length).toBeGreaterThan(9)
}, 120_000)
