import type { Database } from '../database/open.ts'
import type { PlaceNames } from '../database/requests/places.ts'
import type { RunKey } from '../database/schedules/runs.ts'
import { startPlannedRun } from '../database/schedules/start-run.ts'
import type { RunStep } from '../domain/schedules.ts'

/** The one step of a planned run; a local activity beside its workflow. */
export function createScheduleActivities(database: Database, places: PlaceNames) {
  return {
    startScheduledBackup: (run: RunKey): Promise<RunStep> =>
      startPlannedRun(database, places, run, Date.now()),
  }
}

export type ScheduleActivities = ReturnType<typeof createScheduleActivities>
