import type { z } from 'zod'
import type { ScheduleRow, ScheduleRunRow } from '../../database/schedules/read.ts'
import { LIMITS } from '../../domain/limits.ts'
import { nextTimes } from '../../domain/schedule-times.ts'
import type { SCHEDULE, SCHEDULE_RUN } from './schedule-schemas.ts'

export function scheduleView(row: ScheduleRow): z.infer<typeof SCHEDULE> {
  const { id, projectId, userId, name, volumeId, target, createdAt, updatedAt } = row
  const { cron, timeZone, intervalSeconds, jitterSeconds, catchUpSeconds, fullEvery, overlap } = row
  const paused = row.paused === 1
  const next = paused ? [] : nextTimes(row, Date.now(), LIMITS.scheduleTimesShown)
  return {
    ...{ id, projectId, userId, name, volumeId, target },
    ...{ cron, timeZone, intervalSeconds, jitterSeconds, catchUpSeconds, fullEvery, overlap },
    paused,
    note: row.note,
    nextRuns: next.map((timeMs) => new Date(timeMs).toISOString()),
    applied: row.generation === row.appliedGeneration,
    applyError: row.applyError,
    ...{ createdAt, updatedAt },
  }
}

export function scheduleRunView(row: ScheduleRunRow): z.infer<typeof SCHEDULE_RUN> {
  const { id, scheduledAt, startedAt, outcome, reason, waitsUntil, operationId, backupId } = row
  return {
    ...{ id, scheduledAt, startedAt },
    manual: row.manual === 1,
    ...{ outcome, reason, waitsUntil },
    incremental: row.incremental === null ? null : row.incremental === 1,
    ...{ operationId, backupId },
  }
}
