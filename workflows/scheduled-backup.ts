import { sleep, workflowInfo } from '@temporalio/workflow'
import { defineSearchAttributeKey } from '@temporalio/common'
import type { RunOutcome } from '../domain/schedules.ts'
import { schedules } from './proxies.ts'

const PLANNED = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME')

/**
 * One planned run of a schedule, started by Temporal: has the backup accepted as the API would, and leaves it to the dispatcher.
 * While the volume is busy it is tried again; the database says when that ends.
 */
export async function scheduledBackup({ scheduleId }: { scheduleId: string }): Promise<RunOutcome> {
  const info = workflowInfo()
  const scheduledAt = (info.typedSearchAttributes.get(PLANNED) ?? info.startTime).toISOString()
  for (;;) {
    const step = await schedules.startScheduledBackup({ scheduleId, scheduledAt })
    if ('outcome' in step) return step.outcome
    await sleep(step.retryInMs)
  }
}
