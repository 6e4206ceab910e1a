import type { Artifact } from '../../domain/artifacts.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Database } from '../open.ts'
import { noteMergeable } from './layers.ts'

export interface ArtifactRow extends Artifact {
  readonly operationId: string
  readonly sequence: number
}

/**
 * What is still to be released, newest first. Nothing of an operation that is unknown, and no result of one that succeeded, whatever
 * the rows say: that would be a user's data.
 */
export async function listArtifacts(
  database: Database,
  operationId: string,
  purpose: 'temporary' | 'all',
): Promise<ArtifactRow[]> {
  const rows = await database
    .selectFrom('artifacts')
    .innerJoin('operations', 'operations.id', 'artifacts.operationId')
    .selectAll('artifacts')
    .where('artifacts.operationId', '=', operationId)
    .where((eb) =>
      eb.or([eb('operations.state', '!=', 'succeeded'), eb('artifacts.purpose', '=', 'temporary')]),
    )
    .orderBy('sequence', 'desc')
    .execute()
  return purpose === 'all' ? rows : rows.filter((row) => row.purpose === purpose)
}

/**
 * Writes down what the operation is about to make after all: it had to look before it could know. False: the operation has ended, and
 * nothing may be made for it. Repeatable.
 */
export async function planArtifact(
  database: Database,
  operationId: string,
  artifact: Artifact,
): Promise<boolean> {
  return database.transaction().execute(async (tx) => {
    // Held as long as this takes, so that it cannot end, or plan another, meanwhile.
    const { numUpdatedRows } = await tx
      .updateTable('operations')
      .set((eb) => ({ state: eb.ref('state') }))
      .where('id', '=', operationId)
      .where('state', '=', 'running')
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 0n) return false
    const planned = await tx
      .selectFrom('artifacts')
      .selectAll()
      .where('operationId', '=', operationId)
      .execute()
    if (planned.some(({ kind, id }) => kind === artifact.kind && id === artifact.id)) return true
    const sequence = Math.max(-1, ...planned.map((row) => row.sequence)) + 1
    await tx
      .insertInto('artifacts')
      .values({ ...artifact, operationId, sequence })
      .execute()
    return true
  })
}

/** The thing is gone from its place. */
export async function forgetArtifact(database: Database, artifact: ArtifactRow): Promise<void> {
  await database.transaction().execute(async (tx) => {
    await tx
      .deleteFrom('artifacts')
      .where('operationId', '=', artifact.operationId)
      .where('sequence', '=', artifact.sequence)
      .execute()
    if (artifact.kind !== 'snapshot' || artifact.parentId === null) return
    await noteMergeable(tx, artifact.parentId, Date.now() + LIMITS.mergeIdleMs)
  })
}

/** Ended operations that still have something to release: work for the janitor. */
export async function operationsWithLeftovers(database: Database, limit: number): Promise<string[]> {
  const rows = await database
    .selectFrom('artifacts')
    .innerJoin('operations', 'operations.id', 'artifacts.operationId')
    .select('artifacts.operationId')
    .distinct()
    .where('operations.state', 'in', ['succeeded', 'failed', 'cancelled'])
    .limit(limit)
    .execute()
  return rows.map((row) => row.operationId)
}
