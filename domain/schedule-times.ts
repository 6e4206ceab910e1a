import { type Cron, parseCron } from './cron.ts'
import { RequestError } from './errors.ts'
import { LIMITS } from './limits.ts'
import { Zone } from './zone.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** When a schedule runs: by cron in a time zone, or every so many seconds, counted from 1970 as Temporal does. */
export interface Timing {
  readonly cron: string | null
  readonly timeZone: string
  readonly intervalSeconds: number | null
}

/** The next planned times after a moment, without jitter, as epoch milliseconds. */
export function nextTimes(timing: Timing, afterMs: number, count: number): number[] {
  return timesAfter(timing, afterMs).take(count).toArray()
}

/** The planned times in `(afterMs, untilMs]`; of very many the last ones. */
export function timesBetween(timing: Timing, afterMs: number, untilMs: number, max: number): number[] {
  const times: number[] = []
  for (const timeMs of timesAfter(timing, afterMs)) {
    if (timeMs > untilMs) break
    times.push(timeMs)
    if (times.length > max) times.shift()
  }
  return times
}

/** The greatest distance between successive ones of the next planned times. */
export function greatestGapMs(timing: Timing, afterMs: number, count: number): number {
  const times = nextTimes(timing, afterMs, count)
  return Math.max(0, ...times.slice(1).map((timeMs, index) => timeMs - (times[index] ?? timeMs)))
}

/** The zone's proper name. Throws RequestError 400 for one that does not exist. */
export function checkTimeZone(name: string): string {
  try {
    // Offsets such as +02:00 are zones here, but not to Temporal.
    if (/^[A-Za-z]/.test(name))
      return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    // A RangeError: refused below.
  }
  const shown = JSON.stringify(name.slice(0, LIMITS.quotedValueLengthMax))
  throw new RequestError(
    400,
    'unknownTimeZone',
    `Expected the name of a time zone such as Europe/Berlin or UTC, got ${shown}.`,
  )
}

function timesAfter({ cron, timeZone, intervalSeconds }: Timing, afterMs: number): Generator<number> {
  return cron === null
    ? intervalTimes((intervalSeconds ?? LIMITS.scheduleIntervalMinSeconds) * 1000, afterMs)
    : cronTimes(parseCron(cron), new Zone(timeZone), afterMs)
}

function* intervalTimes(intervalMs: number, afterMs: number): Generator<number> {
  for (let timeMs = Math.floor(afterMs / intervalMs) * intervalMs + intervalMs; ; timeMs += intervalMs)
    yield timeMs
}

/** Days are walked on the zone's own calendar. */
function* cronTimes(cron: Cron, zone: Zone, afterMs: number): Generator<number> {
  const localAfterMs = afterMs + zone.offsetMs(afterMs)
  const firstDay = Math.floor(localAfterMs / DAY_MS)
  for (let day = firstDay; day < firstDay + LIMITS.scheduleSearchDays; day += 1) {
    if (!isOn(cron, new Date(day * DAY_MS))) continue
    for (const localMs of timesOfDay(cron, day * DAY_MS)) {
      // Well before: not worth a look at the zone. Clocks are never set by more than a few hours.
      if (localMs < localAfterMs - DAY_MS / 8) continue
      const timeMs = zone.timeOf(localMs)
      if (timeMs !== undefined && timeMs > afterMs) yield timeMs
    }
  }
}

function isOn(cron: Cron, localDay: Date): boolean {
  return (
    cron.months.includes(localDay.getUTCMonth() + 1) &&
    cron.daysOfMonth.includes(localDay.getUTCDate()) &&
    cron.daysOfWeek.includes(localDay.getUTCDay())
  )
}

function timesOfDay({ hours, minutes }: Cron, midnightMs: number): number[] {
  return hours.flatMap((hour) => minutes.map((minute) => midnightMs + hour * HOUR_MS + minute * 60_000))
}
