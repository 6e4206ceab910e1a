import type { Operation, ScheduleRun } from '../../sdk/types.ts'
import { Concluded, EXIT } from '../exit-codes.ts'
import { conclude, endLine, exitCodeOfOperation, follow } from '../follow.ts'
import { printResult, printTable } from '../output.ts'
import type { Session } from '../session.ts'
import type { Row } from '../table.ts'

const COLUMNS = ['SCHEDULED', 'VOLUME', 'STATUS', 'STARTED', 'KIND', 'BACKUP', 'OPERATION', 'REASON']

/** Ends a command that started backups: follows the one as any other command would, or one after the other. */
export async function concludeRuns(session: Session, runs: ScheduleRun[]): Promise<void> {
  const started = runs.flatMap(({ operationId }) => operationId ?? [])
  const [only] = started
  if (runs.length === 1 && only !== undefined) {
    const operation = await session.client.showOperation(only)
    const show = () => session.client.showBackup(operation.resourceId)
    return conclude(session, { noun: 'backup', operation, answer: { runs, operation }, show })
  }
  const page = { items: runs, next: null }
  if (!session.wait) return printTable(session, page, COLUMNS, runs.map(row))
  if (!session.json) printTable(session, page, COLUMNS, runs.map(row))
  const ended: Operation[] = []
  for (const id of started) ended.push(await follow(session, await session.client.showOperation(id)))
  printResult(session, { runs, operations: ended }, () =>
    ended.map((operation) => endLine(process.stdout, operation)).join('\n'),
  )
  const failed = ended.map(exitCodeOfOperation).find((code) => code !== EXIT.ok)
  if (failed !== undefined) throw new Concluded(failed)
}

export async function listRuns(
  session: Session,
  scheduleId: string,
  filter: { limit?: number; marker?: string },
): Promise<void> {
  const page = await session.client.schedules.runs(scheduleId, filter)
  printTable(session, page, COLUMNS, page.items.map(row))
}

function row({
  scheduledAt,
  volumeId,
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
    VOLUME: volumeId ?? 'all',
    STATUS: outcome,
    STARTED: startedAt,
    KIND: incremental === null ? null : incremental ? 'incremental' : 'full',
    BACKUP: backupId,
    OPERATION: operationId,
    REASON: reason,
  }
}
