import { LIMITS } from '../../domain/limits.ts'
import type { Database } from '../open.ts'

export interface Retention {
  readonly countMax: number
  readonly ageMaxMs: number
}

const RETENTION: Retention = { countMax: LIMITS.eventsMax, ageMaxMs: LIMITS.eventAgeMaxMs }

/** Removes events that are too old or too many, oldest first, and notes how far. */
export async function pruneEvents(
  database: Database,
  nowMs: number,
  { countMax, ageMaxMs }: Retention = RETENTION,
): Promise<void> {
  const { count } = await database
    .selectFrom('events')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  const bornBefore = new Date(nowMs - ageMaxMs).toISOString()
  for (let excess = Number(count) - countMax; ; excess -= LIMITS.pruneBatch) {
    const oldest = await database
      .selectFrom('events')
      .select(['id', 'createdAt'])
      .orderBy('id')
      .limit(LIMITS.pruneBatch)
      .execute()
    const last = oldest.findLast((event, index) => index < excess || event.createdAt < bornBefore)
    if (last === undefined) return
    await removeUpTo(database, last.id)
  }
}

async function removeUpTo(database: Database, prunedId: number): Promise<void> {
  await database.transaction().execute(async (tx) => {
    await tx.deleteFrom('events').where('id', '<=', prunedId).execute()
    await tx.updateTable('eventLog').set({ prunedId }).where('prunedId', '<', prunedId).execute()
  })
}
