import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Retention } from '../../domain/retention.ts'
import type { Overlap, VolumeSelection } from '../../domain/schedules.ts'
import type { Verification } from '../../domain/verification.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { choosePlace } from '../requests/checks.ts'
import { ownTargets, type PlaceNames } from '../requests/places.ts'
import type { Tx } from '../resources.ts'
import { requireSchedule, type ScheduleKey, type ScheduleRow } from './read.ts'
import { requireSelected } from './selection.ts'
import { timingOf, type TimingRequest } from './timing.ts'

/** What of a schedule can be changed. */
export interface ScheduleChange extends TimingRequest {
  readonly name?: string
  readonly target?: string
  readonly jitterSeconds?: number
  readonly catchUpSeconds?: number
  /** Null: only the first backup is full. */
  readonly fullEvery?: number | null
  readonly overlap?: Overlap
  readonly note?: string | null
  readonly volumes?: VolumeSelection
  /** Null: nothing is deleted. */
  readonly retention?: Retention | null
  /** How each new backup is looked at; null: not at all. */
  readonly verification?: Verification | null
  /** Null: as the planned times allow. */
  readonly alarmAfterSeconds?: number | null
}

export interface ScheduleRequest extends ScheduleChange {
  readonly name: string
  readonly volumes: VolumeSelection
  readonly paused?: boolean
}

/** Writes a schedule; the reconciler tells Temporal. Throws RequestError 400, 404 or 409. */
export function createSchedule(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: ScheduleRequest,
): Promise<Accepted & { replayed: boolean }> {
  const target = choosePlace('target', request.target, ownTargets(places))
  const timing = timingOf(request)
  const now = new Date().toISOString()
  const id = randomUUID()
  return requestOnce(database, actor, { createSchedule: request }, async (tx) => {
    const { projectId, userId } = actor
    const volumes = JSON.stringify(request.volumes)
    await requireSelected(tx, { projectId, volumes })
    await requireRoom(tx, projectId)
    await tx
      .insertInto('schedules')
      .values({
        ...{ id, projectId, userId, target, volumes, ...timing },
        ...retentionColumn(request),
        ...verificationColumn(request),
        name: request.name,
        alarmAfterSeconds: request.alarmAfterSeconds ?? null,
        jitterSeconds: request.jitterSeconds ?? 0,
        catchUpSeconds: request.catchUpSeconds ?? LIMITS.scheduleCatchUpDefaultSeconds,
        fullEvery: request.fullEvery === undefined ? 1 : request.fullEvery,
        overlap: request.overlap ?? 'skip',
        paused: request.paused === true ? 1 : 0,
        note: request.note ?? null,
        generation: 1,
        appliedGeneration: 0,
        watchedUntil: now,
        createdAt: now,
      })
      .execute()
    return { operationId: null, resourceId: id }
  })
}

/** Throws RequestError 400 or 404. */
export async function updateSchedule(
  database: Database,
  places: PlaceNames,
  key: ScheduleKey,
  change: ScheduleChange,
): Promise<ScheduleRow> {
  const { cron, timeZone, intervalSeconds, target, volumes, retention, verification, ...rest } = change
  return changeSchedule(database, key, async (schedule, tx) => ({
    ...rest,
    ...(volumes === undefined ? {} : await volumesColumn(tx, key.projectId, volumes)),
    ...(retention === undefined ? {} : retentionColumn({ retention })),
    ...(verification === undefined ? {} : verificationColumn({ verification })),
    ...(target === undefined ? {} : { target: choosePlace('target', target, ownTargets(places)) }),
    ...(cron === undefined && timeZone === undefined && intervalSeconds === undefined
      ? {}
      : timingOf(change, schedule)),
  }))
}

/** Replaces the note, too: it says why it is paused. A schedule whose volume is gone stays paused: 404. */
export async function setPaused(
  database: Database,
  key: ScheduleKey,
  { paused, note }: { paused: boolean; note?: string },
): Promise<ScheduleRow> {
  return changeSchedule(database, key, async (schedule, tx) => {
    if (!paused) await requireSelected(tx, schedule)
    return { paused: paused ? 1 : 0, note: note ?? null }
  })
}

/** Its runs are forgotten; their backups stay. Answers with what it was. */
export async function deleteSchedule(database: Database, key: ScheduleKey): Promise<ScheduleRow> {
  return database.transaction().execute(async (tx) => {
    const schedule = await requireSchedule(tx, key)
    await tx.deleteFrom('scheduleRuns').where('scheduleId', '=', key.id).execute()
    await tx.deleteFrom('scheduleAlarms').where('scheduleId', '=', key.id).execute()
    await tx.deleteFrom('schedules').where('id', '=', key.id).execute()
    return schedule
  })
}

async function volumesColumn(tx: Tx, projectId: string, selection: VolumeSelection) {
  const volumes = JSON.stringify(selection)
  await requireSelected(tx, { projectId, volumes })
  return { volumes }
}

/** What new rules drop is looked for at once. */
function retentionColumn({ retention = null }: Pick<ScheduleChange, 'retention'>) {
  return { retention: retention === null ? null : JSON.stringify(retention), retainedAt: null }
}

function verificationColumn({ verification = null }: Pick<ScheduleChange, 'verification'>) {
  return { verification: verification === null ? null : JSON.stringify(verification) }
}

type Columns = Partial<Omit<ScheduleRow, 'generation'>>

/** Planned times before the change are no longer looked for: they belong to what it was before. */
async function changeSchedule(
  database: Database,
  key: ScheduleKey,
  change: (schedule: ScheduleRow, tx: Tx) => Columns | Promise<Columns>,
): Promise<ScheduleRow> {
  return database.transaction().execute(async (tx) => {
    const schedule = await requireSchedule(tx, key)
    const now = new Date().toISOString()
    const columns = await change(schedule, tx)
    return tx
      .updateTable('schedules')
      .set((eb) => ({
        ...columns,
        generation: eb('generation', '+', 1),
        applyError: null,
        watchedUntil: now,
        updatedAt: now,
      }))
      .where('id', '=', key.id)
      .returningAll()
      .executeTakeFirstOrThrow()
  })
}

async function requireRoom(tx: Tx, projectId: string): Promise<void> {
  const { count } = await tx
    .selectFrom('schedules')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('projectId', '=', projectId)
    .executeTakeFirstOrThrow()
  if (Number(count) < LIMITS.schedulesMax) return
  throw new RequestError(
    409,
    'tooManySchedules',
    `Expected fewer than ${LIMITS.schedulesMax} schedules in the project. Delete one first.`,
  )
}
