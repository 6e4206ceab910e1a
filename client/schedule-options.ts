import type { ScheduleOptions } from '@temporalio/client'
import type { ScheduleRow } from '../database/schedules/read.ts'
import { selectionOf } from '../database/schedules/selection.ts'
import { formatCron, parseCron } from '../domain/cron.ts'
import { CONTROL_QUEUE } from '../domain/queues.ts'
import { describeSelection, temporalScheduleId } from '../domain/schedules.ts'

/**
 * The Temporal schedule of a row. Overlapping runs are all started: each looks at its predecessor itself, and so leaves a record of
 * being skipped, which Temporal would only count.
 */
export function temporalSchedule(schedule: ScheduleRow) {
  const { id, cron, timeZone, intervalSeconds, jitterSeconds, catchUpSeconds, paused } = schedule
  const times =
    cron === null
      ? { intervals: [{ every: (intervalSeconds ?? 0) * 1000 }] }
      : { cronExpressions: [formatCron(parseCron(cron))], timezone: timeZone }
  return {
    scheduleId: temporalScheduleId(id),
    spec: { ...times, jitter: jitterSeconds * 1000 },
    action: {
      type: 'startWorkflow',
      workflowType: 'scheduledBackup',
      workflowId: temporalScheduleId(id),
      taskQueue: CONTROL_QUEUE,
      args: [{ scheduleId: id }],
      staticSummary: `backups of ${describeSelection(selectionOf(schedule))}`,
    },
    policies: { overlap: 'ALLOW_ALL', catchupWindow: catchUpSeconds * 1000, pauseOnFailure: false },
    state: { paused: paused === 1, note: 'Kept by volflow: what is changed here is put back.' },
  } as const satisfies ScheduleOptions
}
