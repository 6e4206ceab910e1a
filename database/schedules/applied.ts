/** How far Temporal is in step with the rows. */
import type { Database } from '../open.ts'
import type { ScheduleRow } from './read.ts'
import { selectionOf, selectVolumes } from './selection.ts'

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

/** A schedule all of whose volumes were named and are gone has nothing to do: it pauses and says why. */
export async function pauseWithoutVolumes(database: Database, schedule: ScheduleRow): Promise<void> {
  if (schedule.paused === 1 || !('ids' in selectionOf(schedule))) return
  if ((await selectVolumes(database, schedule)).length > 0) return
  await database
    .updateTable('schedules')
    .set({
      paused: 1,
      note: 'Paused: none of its volumes exists any more.',
      generation: schedule.generation + 1,
      updatedAt: new Date().toISOString(),
    })
    .where('id', '=', schedule.id)
    .where('generation', '=', schedule.generation)
    .execute()
}
