import { type ZoneTime, zoneClock } from './zone.ts'

/** How many of a volume's backups a schedule keeps. Rules add up: what any of them keeps, stays. */
export interface Retention {
  /** The newest so many. */
  readonly last?: number
  /** Of the so many latest hours, days, … that have a backup, the newest one each, in the schedule's time zone; weeks begin on Monday. */
  readonly hourly?: number
  readonly daily?: number
  readonly weekly?: number
  readonly monthly?: number
  readonly yearly?: number
  /** All that are at most so old. */
  readonly withinSeconds?: number
}

export interface RetainedBackup {
  readonly id: string
  /** The moment whose bytes it holds. */
  readonly takenAtMs: number
  /** It can be restored. */
  readonly good: boolean
}

export interface RetentionDecision {
  readonly id: string
  readonly keep: boolean
  /** Each rule that keeps it, or the one reason why it goes. */
  readonly reasons: readonly string[]
}

type Period = 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly'

const PERIODS: Record<Period, (time: ZoneTime) => string> = {
  hourly: ({ utcHour }) => `${utcHour}`,
  daily: ({ day }) => `${day}`,
  // The first of January 1970 was a Thursday.
  weekly: ({ day }) => `${Math.floor((day + 3) / 7)}`,
  monthly: ({ year, month }) => `${year}-${month}`,
  yearly: ({ year }) => `${year}`,
}

/**
 * Which backups of one volume stay and which go, newest first, and why. The newest good one always stays; one that failed counts for no
 * rule and goes once a newer good one exists.
 */
export function decideRetention(
  backups: readonly RetainedBackup[],
  retention: Retention,
  { nowMs, timeZone }: { nowMs: number; timeZone: string },
): RetentionDecision[] {
  const newestFirst = backups.toSorted((a, b) => b.takenAtMs - a.takenAtMs || (a.id < b.id ? 1 : -1))
  const good = newestFirst.filter((backup) => backup.good)
  const reasons = new Map<string, string[]>(newestFirst.map(({ id }) => [id, []]))
  const keep = (id: string, reason: string) => reasons.get(id)?.push(reason)
  for (const [index, { id }] of good.slice(0, retention.last ?? 0).entries()) keep(id, `last ${index + 1}`)
  keepPeriods(good, retention, timeZone, keep)
  const { withinSeconds = 0 } = retention
  for (const { id, takenAtMs } of good)
    if (withinSeconds > 0 && takenAtMs >= nowMs - withinSeconds * 1000) keep(id, 'within')
  const [newest] = good
  if (newest !== undefined && reasons.get(newest.id)?.length === 0) keep(newest.id, 'the last good one')
  return newestFirst.map(({ id, good: isGood, takenAtMs }) => {
    const because = reasons.get(id) ?? []
    if (because.length > 0) return { id, keep: true, reasons: because }
    if (isGood) return { id, keep: false, reasons: ['no rule keeps it'] }
    const replaced = newest !== undefined && newest.takenAtMs > takenAtMs
    if (replaced) return { id, keep: false, reasons: ['it failed, and a newer one is good'] }
    return { id, keep: true, reasons: ['it failed, and no newer one is good'] }
  })
}

function keepPeriods(
  good: readonly RetainedBackup[],
  retention: Retention,
  timeZone: string,
  keep: (id: string, reason: string) => void,
): void {
  const clock = zoneClock(timeZone)
  const dated = good.map(({ id, takenAtMs }) => ({ id, time: clock(takenAtMs) }))
  for (const [period, nameOf] of Object.entries(PERIODS)) {
    const count = retention[period as Period] ?? 0
    const seen = new Set<string>()
    for (const { id, time } of dated) {
      if (seen.size === count) break
      const name = nameOf(time)
      if (seen.has(name)) continue
      seen.add(name)
      keep(id, `${period} ${seen.size}`)
    }
  }
}
