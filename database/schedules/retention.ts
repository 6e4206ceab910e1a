/** What a schedule's retention keeps, and the deletion of what it does not. */
import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { PRIORITY } from '../../domain/operations.ts'
import { decideRetention, type Retention, type RetentionDecision } from '../../domain/retention.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import type { BackupRow } from '../read.ts'
import { acceptBackupDeletion } from '../requests/backups.ts'
import type { ScheduleRow } from './read.ts'

export interface DecidedBackup extends RetentionDecision {
  readonly backup: BackupRow
}

/** Statuses of backups that can be restored; of those with an error nothing can. All others are on their way. */
const GOOD = ['available', 'restoring']

/** For each backup that the schedule made, newest first per volume: whether it stays, and why. Without rules all stay. */
export async function retentionOf(
  database: Database,
  schedule: ScheduleRow,
  nowMs: number,
  rules: Retention | undefined = rulesOf(schedule),
): Promise<DecidedBackup[]> {
  const backups = await database
    .selectFrom('backups')
    .selectAll()
    .where('scheduleId', '=', schedule.id)
    .where('projectId', '=', schedule.projectId)
    .where('status', 'in', [...GOOD, 'error'])
    .execute()
  const byVolume = Map.groupBy(backups, ({ volumeId, target }) => `${volumeId} ${target}`)
  return [...byVolume.values()].flatMap((ofVolume) => decide(ofVolume, schedule, nowMs, rules))
}

/** Accepts the deletion of what may go; what is in use stays until the next time. Resolves to the backups that go. */
export async function applyRetention(
  database: Database,
  schedule: ScheduleRow,
  nowMs: number,
): Promise<{ backupId: string; operationId: string }[]> {
  const dropped = (await retentionOf(database, schedule, nowMs)).filter(({ keep }) => !keep)
  const accepted = []
  for (const { backup } of dropped.slice(0, LIMITS.retentionDeletionsMax)) {
    const operationId = await deleteBackup(database, schedule, backup)
    if (operationId !== undefined) accepted.push({ backupId: backup.id, operationId })
  }
  if (dropped.length <= LIMITS.retentionDeletionsMax) await markRetained(database, schedule, nowMs)
  return accepted
}

/** Schedules with rules whose backups should be looked through: one was finished since the last time, or time has passed. */
export async function schedulesToRetain(database: Database, nowMs: number): Promise<ScheduleRow[]> {
  return database
    .selectFrom('schedules')
    .selectAll()
    .where('retention', 'is not', null)
    .where((eb) =>
      eb.or([
        eb('retainedAt', 'is', null),
        eb('retainedAt', '<', new Date(nowMs - LIMITS.retentionIntervalMs).toISOString()),
        eb.exists(
          eb
            .selectFrom('scheduleRuns')
            .innerJoin('operations', 'operations.id', 'scheduleRuns.operationId')
            .select('scheduleRuns.id')
            .whereRef('scheduleRuns.scheduleId', '=', 'schedules.id')
            .whereRef('operations.finishedAt', '>=', 'schedules.retainedAt'),
        ),
      ]),
    )
    .execute()
}

export function rulesOf({ retention }: Pick<ScheduleRow, 'retention'>): Retention | undefined {
  return retention === null ? undefined : (JSON.parse(retention) as Retention)
}

function decide(
  backups: readonly BackupRow[],
  { timeZone }: ScheduleRow,
  nowMs: number,
  rules: Retention | undefined,
): DecidedBackup[] {
  const byId = new Map(backups.map((backup) => [backup.id, backup]))
  const dated = backups.map(({ id, dataTimestamp, status }) => ({
    id,
    takenAtMs: Date.parse(dataTimestamp),
    good: GOOD.includes(status),
  }))
  const decisions =
    rules === undefined
      ? dated.map(({ id }) => ({ id, keep: true, reasons: ['the schedule deletes nothing'] }))
      : decideRetention(dated, rules, { nowMs, timeZone })
  return decisions.flatMap((decision) => {
    const backup = byId.get(decision.id)
    return backup === undefined ? [] : [{ ...decision, backup }]
  })
}

/** Undefined: somebody holds it, or has deleted it. */
async function deleteBackup(
  database: Database,
  { projectId, userId }: ScheduleRow,
  backup: BackupRow,
): Promise<string | undefined> {
  const actor: Actor = { projectId, userId, requestId: `req-${randomUUID()}` }
  try {
    return await database
      .transaction()
      .execute((tx) => acceptBackupDeletion(tx, actor, backup.id, PRIORITY.scheduled))
  } catch (error) {
    if (error instanceof RequestError) return undefined
    throw error
  }
}

async function markRetained(
  database: Database,
  { id, generation }: ScheduleRow,
  nowMs: number,
): Promise<void> {
  await database
    .updateTable('schedules')
    .set({ retainedAt: new Date(nowMs).toISOString() })
    .where('id', '=', id)
    .where('generation', '=', generation)
    .execute()
}
