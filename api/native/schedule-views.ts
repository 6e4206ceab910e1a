import type { z } from 'zod'
import type { ScheduleRow, ScheduleRunRow } from '../../database/schedules/read.ts'
import { type DecidedBackup, rulesOf } from '../../database/schedules/retention.ts'
import type { Verification } from '../../domain/verification.ts'
import { LIMITS } from '../../domain/limits.ts'
import { nextTimes } from '../../domain/schedule-times.ts'
import type { RETENTION_DECISION, SCHEDULE, SCHEDULE_RUN } from './schedule-schemas.ts'

type Selection = z.infer<typeof SCHEDULE>['volumes']

export function scheduleView(row: ScheduleRow, alarmCount: number): z.infer<typeof SCHEDULE> {
  const { id, projectId, userId, name, target, createdAt, updatedAt } = row
  const { cron, timeZone, intervalSeconds, jitterSeconds, catchUpSeconds, fullEvery, overlap } = row
  const paused = row.paused === 1
  const next = paused ? [] : nextTimes(row, Date.now(), LIMITS.scheduleTimesShown)
  return {
    ...{ id, projectId, userId, name },
    volumes: JSON.parse(row.volumes) as Selection,
    target,
    retention: rulesOf(row) ?? null,
    verification: row.verification === null ? null : (JSON.parse(row.verification) as Verification),
    alarmAfterSeconds: row.alarmAfterSeconds,
    alarmCount,
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
  const { id, scheduledAt, volumeId, startedAt, outcome, reason, waitsUntil, operationId, backupId } = row
  return {
    ...{ id, scheduledAt, volumeId, startedAt },
    manual: row.manual === 1,
    ...{ outcome, reason, waitsUntil },
    incremental: row.incremental === null ? null : row.incremental === 1,
    ...{ operationId, backupId },
  }
}

export function retentionView({ backup, keep, reasons }: DecidedBackup): z.infer<typeof RETENTION_DECISION> {
  const { id: backupId, volumeId, name, dataTimestamp: takenAt, status } = backup
  return { backupId, volumeId, name, takenAt, status, keep, reasons: [...reasons] }
}
