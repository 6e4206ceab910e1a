/** Verifications that nobody has asked for: of a schedule's new backups, and of damaged ones that may have been healed. */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { PRIORITY } from '../../domain/operations.ts'
import type { Verification } from '../../domain/verification.ts'
import type { Database } from '../open.ts'
import type { PlaceNames } from '../requests/places.ts'
import { acceptVerification } from '../requests/verify-backup.ts'

interface Due {
  readonly id: string
  readonly projectId: string
  readonly userId: string
  readonly verification: Verification
}

/** Accepts what is due. Resolves to the operations' ids. */
export async function verifyDue(database: Database, places: PlaceNames, nowMs: number): Promise<string[]> {
  const due = [...(await newOfSchedules(database, nowMs)), ...(await maybeHealed(database))]
  const accepted: string[] = []
  for (const { id: backupId, projectId, userId, verification } of due) {
    const actor = { projectId, userId, requestId: `req-${randomUUID()}` }
    const request = { backupId, ...verification, priority: PRIORITY.scheduled }
    try {
      accepted.push(
        await database.transaction().execute((tx) => acceptVerification(tx, actor, places, request)),
      )
    } catch (error) {
      // It is being deleted or restored: the next time.
      if (!(error instanceof RequestError)) throw error
    }
  }
  return accepted
}

/** One whose verification failed is not tried again for a day. */
async function newOfSchedules(database: Database, nowMs: number): Promise<Due[]> {
  const since = new Date(nowMs - LIMITS.verifyAgainMs).toISOString()
  const rows = await database
    .selectFrom('backups')
    .innerJoin('schedules', 'schedules.id', 'backups.scheduleId')
    .select(['backups.id', 'backups.projectId', 'backups.userId', 'schedules.verification'])
    .where('schedules.verification', 'is not', null)
    .where('backups.status', '=', 'available')
    .where('backups.verifiedAt', 'is', null)
    .where('backups.id', 'not in', lookedAt(database, since))
    .orderBy('backups.createdAt')
    .limit(LIMITS.verifyBatch)
    .execute()
  return rows.map(({ verification, ...row }) => ({
    ...row,
    verification: JSON.parse(verification ?? '') as Verification,
  }))
}

/** A backup that was finished since then may have brought the bytes that are missing; in Cinder's format none does. */
async function maybeHealed(database: Database): Promise<Due[]> {
  const rows = await database
    .selectFrom('backups')
    .select(['id', 'projectId', 'userId'])
    .where('status', '=', 'error')
    .where('format', '=', 'volflow')
    .where('damagedObjects', '>', 0)
    .where('backups.id', 'not in', lookedAt(database))
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('backups as newer')
          .innerJoin('operations', 'operations.resourceId', 'newer.id')
          .select(sql<number>`1`.as('one'))
          .whereRef('newer.target', '=', 'backups.target')
          .whereRef('newer.projectId', '=', 'backups.projectId')
          .where('operations.kind', 'in', ['create-backup', 'copy-backup'])
          .where('operations.state', '=', 'succeeded')
          .whereRef('operations.finishedAt', '>', 'backups.verifiedAt'),
      ),
    )
    .limit(LIMITS.verifyBatch)
    .execute()
  return rows.map((row) => ({ ...row, verification: { level: 'quarantined', samplePercent: 100 } }))
}

/** Backups that are being verified, or whose verification has ended since. */
function lookedAt(database: Database, since?: string) {
  const verifications = database
    .selectFrom('operations')
    .select('resourceId')
    .where('kind', '=', 'verify-backup')
  return verifications.where((eb) =>
    eb.or([
      eb('state', 'in', ['pending', 'running']),
      ...(since === undefined ? [] : [eb('finishedAt', '>', since)]),
    ]),
  )
}
