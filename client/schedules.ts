import { createHash } from 'node:crypto'
import { type Client, ScheduleAlreadyRunning, ScheduleNotFoundError } from '@temporalio/client'
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js'
import pMap from 'p-map'
import type { Database } from '../database/open.ts'
import {
  allSchedules,
  changedSchedules,
  markApplied,
  markRefused,
  pauseWithoutVolumes,
} from '../database/schedules/applied.ts'
import type { ScheduleRow } from '../database/schedules/read.ts'
import { endStuckRuns, settleRange, unsettledRange } from '../database/schedules/runs.ts'
import { LIMITS } from '../domain/limits.ts'
import { scheduleIdOf, temporalScheduleId } from '../domain/schedules.ts'
import { temporalSchedule } from './schedule-options.ts'

/** One that fails does not keep the others waiting. */
const EACH = { concurrency: LIMITS.scheduleRequests, stopOnError: false }

/** Tells Temporal what was written since the last time. */
export async function applyChangedSchedules(client: Client, database: Database): Promise<void> {
  const changed = await changedSchedules(database, LIMITS.dispatchBatch)
  await pMap(changed, (schedule) => apply(client, database, schedule), EACH)
}

/**
 * Makes Temporal's schedules those of the rows, whatever was done to them there, and accounts for the planned times. A schedule that has
 * no row was deleted: rows are written first, so they are read after the list.
 */
export async function reconcileSchedules(client: Client, database: Database): Promise<void> {
  for (const schedule of await allSchedules(database)) await pauseWithoutVolumes(database, schedule)
  await endStuckRuns(database, Date.now())
  const listed = []
  for await (const { scheduleId } of client.schedule.list()) listed.push(scheduleId)
  const schedules = await allSchedules(database)
  const known = new Set(schedules.map(({ id }) => temporalScheduleId(id)))
  const orphans = listed.filter((id) => scheduleIdOf(id) !== undefined && !known.has(id))
  await pMap(orphans, (id) => deleteSchedule(client, id), EACH)
  await pMap(schedules, (schedule) => reconcileOne(client, database, schedule), EACH)
}

async function reconcileOne(client: Client, database: Database, schedule: ScheduleRow): Promise<void> {
  const isApplied = schedule.generation === schedule.appliedGeneration
  const isInStep = isApplied && (await etagOf(client, schedule)) === schedule.appliedEtag
  if (isInStep || (await apply(client, database, schedule))) await settle(client, database, schedule)
}

/** Which times were planned is Temporal's to say: where clocks go back, it has rules of its own. */
async function settle(client: Client, database: Database, schedule: ScheduleRow): Promise<void> {
  const range = unsettledRange(schedule, Date.now())
  if (range === undefined) return
  const { startTime } = await client.workflowService.listScheduleMatchingTimes({
    namespace: client.options.namespace,
    scheduleId: temporalScheduleId(schedule.id),
    startTime: msToTs(range.afterMs),
    endTime: msToTs(range.untilMs),
  })
  await settleRange(database, schedule, range, startTime.map(tsToMs))
}

/** Creates it or makes it what the row says. Repeatable. False: Temporal refused it. */
async function apply(client: Client, database: Database, schedule: ScheduleRow): Promise<boolean> {
  const { scheduleId, ...wanted } = temporalSchedule(schedule)
  try {
    try {
      await client.schedule.create({ scheduleId, ...wanted })
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error
      await client.schedule.getHandle(scheduleId).update(() => wanted)
    }
    await markApplied(database, schedule, (await etagOf(client, schedule)) ?? '')
    return true
  } catch (error) {
    // Temporal's client says so when the server refuses the times.
    if (!(error instanceof TypeError)) throw error
    await markRefused(database, schedule, error.message)
    return false
  }
}

/** Of all that was set in Temporal, as it describes it; undefined: there is no such schedule. */
async function etagOf(client: Client, { id }: Pick<ScheduleRow, 'id'>): Promise<string | undefined> {
  try {
    const { raw } = await client.schedule.getHandle(temporalScheduleId(id)).describe()
    return createHash('sha256').update(JSON.stringify(raw.schedule)).digest('hex')
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined
    throw error
  }
}

async function deleteSchedule(client: Client, temporalId: string): Promise<void> {
  try {
    await client.schedule.getHandle(temporalId).delete()
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error
  }
}
