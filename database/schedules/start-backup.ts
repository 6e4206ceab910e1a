/** The backup of one volume at one planned time. */
import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { PRIORITY } from '../../domain/operations.ts'
import type { RunOutcome } from '../../domain/schedules.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { acceptBackup, newestBackup } from '../requests/backups.ts'
import { choosePlace } from '../requests/checks.ts'
import { ownTargets, type PlaceNames } from '../requests/places.ts'
import type { Tx } from '../resources.ts'
import type { ScheduleRow, ScheduleRunRow } from './read.ts'
import { endRun } from './runs.ts'

/** A run of one volume. */
export type VolumeRun = ScheduleRunRow & { readonly volumeId: string }

export interface Start {
  readonly schedule: ScheduleRow
  readonly run: VolumeRun
  readonly places: PlaceNames
  readonly actor?: Actor
  readonly nowMs: number
}

/** Accepts the backup, or records what stands in the way, which is returned: a busy volume is worth another try within its window. */
export async function startBackup(database: Database, start: Start): Promise<RequestError | undefined> {
  try {
    await database.transaction().execute((tx) => accept(tx, start))
    return undefined
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    await database.transaction().execute((tx) => recordRefusal(tx, start, error))
    return error
  }
}

async function accept(tx: Tx, { schedule, run, places, actor, nowMs }: Start): Promise<void> {
  // Another step of the same run may have been faster.
  if (!(await isWaiting(tx, run))) return
  if (schedule.paused === 1 && run.manual === 0)
    throw new RequestError(409, 'schedulePaused', 'The schedule was paused.')
  await refuseOverlap(tx, run)
  const { name, projectId, userId } = schedule
  const { volumeId, scheduledAt } = run
  const target = choosePlace('target', schedule.target, ownTargets(places))
  const of = { projectId, volumeId, target }
  const incremental = !(await isFullDue(tx, schedule, volumeId)) && (await newestBackup(tx, of)) !== undefined
  const requestId = `req-${randomUUID()}`
  const accepted = await acceptBackup(tx, actor ?? { projectId, userId, requestId }, places, {
    volumeId,
    target,
    incremental,
    name: `${name.slice(0, LIMITS.nameLengthMax - scheduledAt.length - 1)} ${scheduledAt}`,
    metadata: { scheduleId: schedule.id },
    scheduleId: schedule.id,
    priority: run.manual === 1 ? PRIORITY.interactive : PRIORITY.scheduled,
  })
  const { operationId, resourceId: backupId } = accepted
  await endRun(tx, run, {
    ...{ outcome: 'started', reason: null, operationId, backupId },
    incremental: incremental ? 1 : 0,
    startedAt: new Date(nowMs).toISOString(),
  })
}

async function isWaiting(tx: Tx, { id }: VolumeRun): Promise<boolean> {
  const row = await tx.selectFrom('scheduleRuns').select('outcome').where('id', '=', id).executeTakeFirst()
  return row?.outcome === 'waiting'
}

/** One at a time: neither a backup of this volume by this schedule is under way, nor does an earlier run wait for its turn. */
async function refuseOverlap(tx: Tx, { id, scheduleId, scheduledAt, volumeId }: VolumeRun): Promise<void> {
  const other = await tx
    .selectFrom('scheduleRuns')
    .leftJoin('operations', 'operations.id', 'scheduleRuns.operationId')
    .select(['scheduleRuns.scheduledAt', 'scheduleRuns.operationId'])
    .where('scheduleRuns.scheduleId', '=', scheduleId)
    .where('scheduleRuns.volumeId', '=', volumeId)
    .where('scheduleRuns.id', '!=', id)
    .where((eb) =>
      eb.or([
        eb('operations.state', 'in', ['pending', 'running']),
        eb.and([eb('outcome', '=', 'waiting'), eb('scheduledAt', '<', scheduledAt)]),
      ]),
    )
    .orderBy('scheduledAt')
    .executeTakeFirst()
  if (other === undefined) return
  const holder = other.operationId ?? undefined
  const state = holder === undefined ? 'is still waiting' : `still goes on as operation ${holder}`
  throw new RequestError(409, 'runOverlaps', `The run of ${other.scheduledAt} ${state}.`, holder)
}

/** Of `fullEvery` successive backups of a volume one is full: none of the last ones before this was. */
async function isFullDue(tx: Tx, { id, fullEvery }: ScheduleRow, volumeId: string): Promise<boolean> {
  if (fullEvery === null) return false
  const last = await tx
    .selectFrom('scheduleRuns')
    .innerJoin('operations', 'operations.id', 'scheduleRuns.operationId')
    .select('scheduleRuns.incremental')
    .where('scheduleRuns.scheduleId', '=', id)
    .where('scheduleRuns.volumeId', '=', volumeId)
    .where('operations.state', 'not in', ['failed', 'cancelled'])
    .orderBy('scheduledAt', 'desc')
    .limit(fullEvery - 1)
    .execute()
  return last.every(({ incremental }) => incremental === 1)
}

async function recordRefusal(
  tx: Tx,
  { schedule, run, nowMs }: Start,
  { code, status, message: reason }: RequestError,
): Promise<void> {
  const isFinal =
    run.manual === 1 ||
    code === 'schedulePaused' ||
    (code === 'runOverlaps' && schedule.overlap === 'skip') ||
    nowMs >= Date.parse(run.waitsUntil ?? '')
  if (status === 409 && !isFinal) {
    const triedAt = new Date(nowMs).toISOString()
    await tx.updateTable('scheduleRuns').set({ reason, triedAt }).where('id', '=', run.id).execute()
    return
  }
  const outcome: RunOutcome = status === 409 ? 'skipped' : 'failed-to-start'
  await endRun(tx, run, { outcome, reason })
}
