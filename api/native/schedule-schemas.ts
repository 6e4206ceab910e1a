import { z } from 'zod'
import { LIMITS } from '../../domain/limits.ts'
import { OVERLAPS, RUN_OUTCOMES } from '../../domain/schedules.ts'
import { DESCRIPTION, ID, METADATA, NAME, PLACE } from './fields.ts'
import { page, TIME } from './schemas.ts'
import { VERIFICATION } from './verification.ts'

const VOLUME_SELECTION = z
  .union([
    z.strictObject({
      ids: z
        .array(ID)
        .max(LIMITS.scheduleVolumesMax)
        .refine((ids) => ids.length > 0, { error: 'at least one id' }),
    }),
    z.strictObject({
      metadata: METADATA.refine((entries) => Object.keys(entries).length > 0, {
        error: 'at least one entry',
      }),
    }),
    z.strictObject({ volumeType: NAME }),
    z.strictObject({ all: z.literal(true) }),
  ])
  .describe(
    'Ids, or volumes of the project as they are at each planned time: by metadata (all entries), by type, or all',
  )

const COUNT = z.int().min(1).max(LIMITS.retentionCountMax).exactOptional()

export const RETENTION_RULES = {
  last: COUNT.describe('The newest so many'),
  hourly: COUNT.describe('Of the so many latest hours that have a backup the newest one each'),
  daily: COUNT,
  weekly: COUNT.describe('Weeks begin on Monday'),
  monthly: COUNT,
  yearly: COUNT,
  withinSeconds: z
    .int()
    .min(1)
    .max(LIMITS.retentionWithinMaxSeconds)
    .exactOptional()
    .describe('All that are at most so old'),
}

const RETENTION = z
  .strictObject(RETENTION_RULES)
  .refine((rules) => Object.keys(rules).length > 0, { error: 'at least one rule' })
  .meta({ id: 'Retention' })

const CHANGEABLE = {
  retention: RETENTION.nullable()
    .exactOptional()
    .describe(
      'Which of its backups stay, per volume; what no rule keeps is deleted. Null, the default: all stay',
    ),
  verification: VERIFICATION.nullable()
    .exactOptional()
    .describe('How each of its backups is looked at once it is there; null, the default: not at all'),
  alarmAfterSeconds: z
    .int()
    .min(LIMITS.scheduleIntervalMinSeconds)
    .max(LIMITS.scheduleAlarmMaxSeconds)
    .nullable()
    .exactOptional()
    .describe(
      'A volume without a good backup for so long has an alarm; null, the default: when two planned times passed without one',
    ),
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
  .strictObject({ name: NAME, volumes: VOLUME_SELECTION, ...CHANGEABLE, paused: z.boolean().exactOptional() })
  .meta({ id: 'CreateSchedule' })

export const UPDATE_SCHEDULE = z
  .strictObject({ name: NAME.exactOptional(), volumes: VOLUME_SELECTION.exactOptional(), ...CHANGEABLE })
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
    volumes: VOLUME_SELECTION,
    target: z.string(),
    retention: RETENTION.nullable(),
    verification: VERIFICATION.nullable(),
    alarmAfterSeconds: z.int().nullable(),
    alarmCount: z.int().describe('Volumes without a good backup for too long: see its alarms'),
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
    volumeId: z.string().nullable().describe('Null: all of its volumes'),
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

export const SCHEDULE_ALARM = z
  .object({
    volumeId: z.string(),
    raisedAt: TIME,
    lastGoodAt: TIME.nullable().describe('Null: there was never one'),
  })
  .meta({ id: 'ScheduleAlarm' })

export const RETENTION_DECISION = z
  .object({
    backupId: z.string(),
    volumeId: z.string(),
    name: z.string().nullable(),
    takenAt: TIME.describe('The moment whose bytes it holds'),
    status: z.string(),
    keep: z.boolean(),
    reasons: z.array(z.string()),
  })
  .meta({ id: 'RetentionDecision' })

export const SCHEDULE_PRUNED = z
  .object({ deletions: z.array(z.object({ backupId: z.string(), operationId: z.string() })) })
  .meta({ id: 'SchedulePruned' })

export const SCHEDULE_STARTED = z.object({ runs: z.array(SCHEDULE_RUN) }).meta({ id: 'ScheduleStarted' })

export const SCHEDULE_PAGE = page('SchedulePage', SCHEDULE)
export const SCHEDULE_RUN_PAGE = page('ScheduleRunPage', SCHEDULE_RUN)
export const RETENTION_PAGE = page('RetentionPage', RETENTION_DECISION)
