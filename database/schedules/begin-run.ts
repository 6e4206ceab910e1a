import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import type { Tx } from '../resources.ts'
import type { ScheduleRow } from './read.ts'
import { deadlineMs, type RunKey } from './runs.ts'
import { checkSelected, selectionOf, selectVolumes } from './selection.ts'

/** Gives each volume that the schedule has now a run that waits for its turn. Throws RequestError 409 when there is none. */
export async function planVolumes(
  tx: Tx,
  schedule: ScheduleRow,
  key: RunKey,
  { manual, waitsUntilMs = deadlineMs(schedule, key) }: { manual: boolean; waitsUntilMs?: number },
): Promise<void> {
  const selection = selectionOf(schedule)
  const volumes = 'ids' in selection ? selection.ids.map((id) => ({ id })) : await selectVolumes(tx, schedule)
  checkSelected(volumes)
  if (volumes.length === 0)
    throw new RequestError(409, 'noVolumes', 'No volume is what the schedule asks for.')
  const rows = volumes.map(({ id: volumeId }) => ({
    id: randomUUID(),
    ...key,
    volumeId,
    outcome: 'waiting' as const,
    reason: 'Its turn comes next.',
    manual: manual ? 1 : 0,
    waitsUntil: new Date(waitsUntilMs).toISOString(),
  }))
  // No statement has more parameters than the smaller of the databases takes.
  for (let at = 0; at < rows.length; at += 100) {
    await tx
      .insertInto('scheduleRuns')
      .values(rows.slice(at, at + 100))
      .execute()
  }
}
