/** The words of scheduled backups. */

/** What happens to a run whose predecessor has not ended: it is skipped, or waits within the catch-up window. */
export const OVERLAPS = ['skip', 'wait'] as const
export type Overlap = (typeof OVERLAPS)[number]

/**
 * What became of one volume at a planned time. `waiting`: its turn comes next, or it is busy and tried again. `started`: a backup was accepted. `skipped`: busy for the whole catch-up window, or
 * its predecessor still ran. `missed`: nothing was up at that time. `failed-to-start`: it could not be accepted.
 */
export const RUN_OUTCOMES = ['waiting', 'started', 'skipped', 'missed', 'failed-to-start'] as const
export type RunOutcome = (typeof RUN_OUTCOMES)[number]

/** Which volumes of its project a schedule backs up. All but `ids` is asked anew at each planned time. */
export type VolumeSelection =
  | { readonly ids: readonly string[] }
  /** Those that have all of these entries. */
  | { readonly metadata: Readonly<Record<string, string>> }
  | { readonly volumeType: string }
  | { readonly all: true }

/** In the words of a list. Ids are cut: there may be a thousand. */
export function describeSelection(selection: VolumeSelection): string {
  if ('all' in selection) return 'all volumes'
  if ('volumeType' in selection) return `volumes of type ${selection.volumeType}`
  if ('metadata' in selection) {
    const entries = Object.entries(selection.metadata).map(([key, value]) => `${key}=${value}`)
    return `volumes with ${entries.join(', ')}`
  }
  const [first = 'none', ...more] = selection.ids
  return `volume ${first}${more.length === 0 ? '' : ` and ${more.length} more`}`
}

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
