/** The words of scheduled backups. */

/** What happens to a run whose predecessor has not ended: it is skipped, or waits within the catch-up window. */
export const OVERLAPS = ['skip', 'wait'] as const
export type Overlap = (typeof OVERLAPS)[number]

/**
 * `waiting`: the volume is busy, it is tried again. `started`: a backup was accepted. `skipped`: busy for the whole catch-up window, or
 * its predecessor still ran. `missed`: nothing was up at that time. `failed-to-start`: it could not be accepted.
 */
export const RUN_OUTCOMES = ['waiting', 'started', 'skipped', 'missed', 'failed-to-start'] as const
export type RunOutcome = (typeof RUN_OUTCOMES)[number]

/** What the workflow of a planned run gets back: how it ended, or when to try again. */
export type RunStep = { readonly outcome: RunOutcome } | { readonly retryInMs: number }

const SCHEDULE_PREFIX = 'scheduled-backup/'

/** Also the id of each run's workflow, to which Temporal adds the planned time. */
export function temporalScheduleId(scheduleId: string): string {
  return SCHEDULE_PREFIX + scheduleId
}

/** The schedule behind an id in Temporal; undefined: not one of ours. */
export function scheduleIdOf(temporalId: string): string | undefined {
  return temporalId.startsWith(SCHEDULE_PREFIX) ? temporalId.slice(SCHEDULE_PREFIX.length) : undefined
}
