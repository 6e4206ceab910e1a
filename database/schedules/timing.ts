import { parseCron } from '../../domain/cron.ts'
import { RequestError } from '../../domain/errors.ts'
import { checkTimeZone, nextTimes, type Timing } from '../../domain/schedule-times.ts'

export interface TimingRequest {
  readonly cron?: string
  readonly timeZone?: string
  readonly intervalSeconds?: number
}

/** When a schedule shall run, by request and by what it was before. Throws RequestError 400. */
export function timingOf({ cron, timeZone, intervalSeconds }: TimingRequest, before?: Timing): Timing {
  if (cron !== undefined && intervalSeconds !== undefined) {
    throw new RequestError(400, 'manyTimings', 'Expected cron or intervalSeconds, got both.')
  }
  const wanted = cron ?? (intervalSeconds === undefined ? before?.cron : undefined)
  if (wanted !== undefined && wanted !== null)
    return cronTiming(wanted, timeZone ?? before?.timeZone ?? 'UTC')
  const seconds = intervalSeconds ?? before?.intervalSeconds
  if (seconds === undefined || seconds === null) {
    throw new RequestError(400, 'timingMissing', 'Expected cron or intervalSeconds, got neither.')
  }
  if (timeZone !== undefined) {
    throw new RequestError(
      400,
      'timeZoneWithoutCron',
      'Expected timeZone with cron only: intervals are counted from 1970 in UTC.',
    )
  }
  return { cron: null, timeZone: 'UTC', intervalSeconds: seconds }
}

function cronTiming(cron: string, zone: string): Timing {
  parseCron(cron)
  const timing = { cron: cron.trim(), timeZone: checkTimeZone(zone), intervalSeconds: null }
  if (nextTimes(timing, Date.now(), 1).length > 0) return timing
  throw new RequestError(
    400,
    'invalidCron',
    `Expected cron that matches some day, got ${JSON.stringify(cron)}, which never does.`,
  )
}
