/** How far Temporal is in step with the rows. */
import type { Database } from '../open.ts'
import type { ScheduleRow } from './read.ts'

export function allSchedules(database: Database): Promise<ScheduleRow[]> {
  return database.selectFrom('schedules').selectAll().orderBy('id').execute()
}

/** Written, but Temporal was not told yet; one that it refused is tried again with all others. */
export function changedSchedules(database: Database, limit: number): Promise<ScheduleRow[]> {
  return database
    .selectFrom('schedules')
    .selectAll()
    .whereRef('generation', '!=', 'appliedGeneration')
    .where('applyError', 'is', null)
    .limit(limit)
    .execute()
}

export async function markApplied(
  database: Database,
  { id, generation }: Pick<ScheduleRow, 'id' | 'generation'>,
  etag: string,
): Promise<void> {
  await database
    .updateTable('schedules')
    .set({ appliedGeneration: generation, appliedEtag: etag, applyError: null })
    .where('id', '=', id)
    .execute()
}

/** Temporal refused this generation; the user sees why. */
export async function markRefused(
  database: Database,
  { id, generation }: Pick<ScheduleRow, 'id' | 'generation'>,
  message: string,
): Promise<void> {
  await database
    .updateTable('schedules')
    .set({ applyError: message })
    .where('id', '=', id)
    .where('generation', '=', generation)
    .execute()
}

/** A schedule whose volume is gone has nothing to do: it pauses and says why. */
export async function pauseWithoutVolume(database: Database): Promise<void> {
  await database
    .updateTable('schedules')
    .set((eb) => ({
      paused: 1,
      note: 'Paused: its volume no longer exists.',
      generation: eb('generation', '+', 1),
      updatedAt: new Date().toISOString(),
    }))
    .where('paused', '=', 0)
    .where('volumeId', 'not in', (eb) => eb.selectFrom('volumes').select('volumes.id'))
    .execute()
}
