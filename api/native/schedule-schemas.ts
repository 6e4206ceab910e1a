import { z } from 'zod'
import { LIMITS } from '../../domain/limits.ts'
import { OVERLAPS, RUN_OUTCOMES } from '../../domain/schedules.ts'
import { DESCRIPTION, ID, NAME, PLACE } from './fields.ts'
import { page, TIME } from './schemas.ts'

const CHANGEABLE = {
  target: PLACE.exactOptional(),
  cron: z
    .string()
    .max(LIMITS.scheduleCronLengthMax)
    .exactOptional()
    .describe('minute hour day-of-month month day-of-week, in timeZone; instead of intervalSeconds'),
  timeZone: z
    .string()
    .max(LIMITS.nameLengthMax)
    .exactOptional()
    .describe('Of the cron expression, such as Europe/Berlin; default UTC'),
  intervalSeconds: z
    .int()
    .min(LIMITS.scheduleIntervalMinSeconds)
    .max(LIMITS.scheduleIntervalMaxSeconds)
    .exactOptional()
    .describe('Instead of cron: so many seconds apart, counted from 1970'),
  jitterSeconds: z
    .int()
    .min(0)
    .max(LIMITS.scheduleJitterMaxSeconds)
    .exactOptional()
    .describe('Each run starts up to this much later, so that not all start at once; default 0'),
  catchUpSeconds: z
    .int()
    .min(LIMITS.scheduleCatchUpMinSeconds)
    .max(LIMITS.scheduleCatchUpMaxSeconds)
    .exactOptional()
    .describe('How late a run may start, after an outage or while its volume is busy; default an hour'),
  fullEvery: z
    .int()
    .min(1)
    .max(LIMITS.scheduleFullEveryMax)
    .nullable()
    .exactOptional()
    .describe('Every so many backups one is full; null: only the first; default 1'),
  overlap: z
    .enum(OVERLAPS)
    .exactOptional()
    .describe('A run whose predecessor still goes on is skipped, or waits within the catch-up window'),
  note: DESCRIPTION.nullable().exactOptional(),
}

export const CREATE_SCHEDULE = z
  .strictObject({ name: NAME, volumeId: ID, ...CHANGEABLE, paused: z.boolean().exactOptional() })
  .meta({ id: 'CreateSchedule' })

export const UPDATE_SCHEDULE = z
  .strictObject({ name: NAME.exactOptional(), ...CHANGEABLE })
  .meta({ id: 'UpdateSchedule' })

export const PAUSE_SCHEDULE = z
  .strictObject({ note: DESCRIPTION.exactOptional() })
  .nullish()
  .meta({ id: 'PauseSchedule' })

export const SCHEDULE = z
  .object({
    id: z.string(),
    projectId: z.string(),
    userId: z.string(),
    name: z.string(),
    volumeId: z.string(),
    target: z.string(),
    cron: z.string().nullable(),
    timeZone: z.string(),
    intervalSeconds: z.int().nullable(),
    jitterSeconds: z.int(),
    catchUpSeconds: z.int(),
    fullEvery: z.int().nullable(),
    overlap: z.enum(OVERLAPS),
    paused: z.boolean(),
    note: z.string().nullable().describe('Why it is paused, or whatever was written there'),
    nextRuns: z.array(TIME).describe('The next planned times, without jitter; none while it is paused'),
    applied: z.boolean().describe('Temporal knows of the last change'),
    applyError: z.string().nullable().describe('Why Temporal refused it'),
    createdAt: TIME,
    updatedAt: TIME.nullable(),
  })
  .meta({ id: 'Schedule' })

export const SCHEDULE_RUN = z
  .object({
    id: z.string(),
    scheduledAt: TIME,
    startedAt: TIME.nullable(),
    manual: z.boolean().describe('Asked for by a user'),
    outcome: z.enum(RUN_OUTCOMES),
    reason: z.string().nullable().describe('Why it did not start, or why it waits'),
    waitsUntil: TIME.nullable().describe('When a waiting run is given up'),
    incremental: z.boolean().nullable(),
    operationId: z.string().nullable(),
    backupId: z.string().nullable(),
  })
  .meta({ id: 'ScheduleRun' })

export const SCHEDULE_PAGE = page('SchedulePage', SCHEDULE)
export const SCHEDULE_RUN_PAGE = page('ScheduleRunPage', SCHEDULE_RUN)
