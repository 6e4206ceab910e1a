const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

export class Zone {
  readonly #format: Intl.DateTimeFormat

  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' })
  }

  /**
   * When the zone's clocks show this. A time that they skip is none. One that they show twice counts once: where clocks are ahead of
   * UTC the second one, and elsewhere the first, as Temporal does for what runs once a day.
   */
  timeOf(localMs: number): number | undefined {
    const guessMs = this.offsetMs(localMs)
    const offsetMs = this.offsetMs(localMs - guessMs)
    const timeMs = localMs - offsetMs
    return this.offsetMs(timeMs) === offsetMs ? timeMs : undefined
  }

  /** How much the zone's clocks are ahead of UTC. */
  offsetMs(timeMs: number): number {
    const name = this.#format.formatToParts(timeMs).find(({ type }) => type === 'timeZoneName')?.value
    const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)/.exec(name ?? '') ?? []
    const offset = Number(hours ?? 0) * HOUR_MS + Number(minutes ?? 0) * 60_000
    return sign === '-' ? -offset : offset
  }
}

/** What calendars and clocks of a zone show at a moment. */
export interface ZoneTime {
  /** Hours since 1970 in UTC: where clocks go back, the same hour of the day is two. */
  readonly utcHour: number
  /** Days since 1970, of the zone's own calendar. */
  readonly day: number
  /** From 1. */
  readonly month: number
  readonly year: number
}

export function zoneClock(timeZone: string): (timeMs: number) => ZoneTime {
  const zone = new Zone(timeZone)
  return (timeMs) => {
    const localMs = timeMs + zone.offsetMs(timeMs)
    const local = new Date(localMs)
    return {
      utcHour: Math.floor(timeMs / HOUR_MS),
      day: Math.floor(localMs / DAY_MS),
      month: local.getUTCMonth() + 1,
      year: local.getUTCFullYear(),
    }
  }
}
