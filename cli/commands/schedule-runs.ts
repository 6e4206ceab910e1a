import type { ScheduleRun } from '../../sdk/types.ts'
import { printTable } from '../output.ts'
import type { Session } from '../session.ts'
import type { Row } from '../table.ts'

export async function listRuns(
  session: Session,
  scheduleId: string,
  filter: { limit?: number; marker?: string },
): Promise<void> {
  const page = await session.client.listScheduleRuns(scheduleId, filter)
  const columns = ['SCHEDULED', 'STATUS', 'STARTED', 'KIND', 'BACKUP', 'OPERATION', 'REASON']
  printTable(session, page, columns, page.items.map(row))
}

function row({
  scheduledAt,
  manual,
  outcome,
  startedAt,
  incremental,
  backupId,
  operationId,
  reason,
}: ScheduleRun): Row {
  return {
    SCHEDULED: manual ? 'by hand' : scheduledAt,
    STATUS: outcome,
    STARTED: startedAt,
    KIND: incremental === null ? null : incremental ? 'incremental' : 'full',
    BACKUP: backupId,
    OPERATION: operationId,
    REASON: reason,
  }
}
