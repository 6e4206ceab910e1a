import type { Command } from 'commander'
import { formatBytes } from '../../domain/sizes.ts'
import type { EventFilter } from '../../sdk/filters.ts'
import type { LogEvent } from '../../sdk/types.ts'
import { untilInterrupted } from '../interrupt.ts'
import { parseEventId, parseCount } from '../options.ts'
import { printTable } from '../output.ts'
import { type Session, sessionOf } from '../session.ts'
import type { Row } from '../table.ts'
import { printable } from '../text.ts'

interface Options {
  readonly after?: number
  readonly operation?: string
  readonly resource?: string
  readonly limit?: number
  readonly follow?: boolean
}

export function eventCommands(program: Command): void {
  program
    .command('events')
    .description(
      'what happened to operations and schedules, oldest first; with --follow what happens from now on',
    )
    .option('--follow', 'print events as they come, one line each; with --json as documents')
    .option('--after <id>', 'only what came after this event; 0: from the oldest that is kept', parseEventId)
    .option('--operation <id>', 'only those of this operation')
    .option('--resource <id>', 'only those of operations about this resource')
    .option('--limit <count>', 'at most this many', parseCount)
    .action(async ({ follow = false, limit, ...options }: Options, command: Command) => {
      const session = sessionOf(command)
      const filter = filterOf(options)
      if (follow) await print(session, filter)
      else await list(session, { ...filter, ...(limit === undefined ? {} : { limit }) })
    })
}

function filterOf({ after, operation, resource }: Options): EventFilter {
  return {
    ...(after === undefined ? {} : { after }),
    ...(operation === undefined ? {} : { operationId: operation }),
    ...(resource === undefined ? {} : { resourceId: resource }),
  }
}

async function list(session: Session, filter: EventFilter & { limit?: number }): Promise<void> {
  const page = await session.client.listEvents(filter)
  const columns = ['ID', 'TIME', 'EVENT', 'KIND', 'OPERATION', 'DETAIL']
  printTable(session, page, columns, page.items.map(row), '--after')
}

/** Until Ctrl-C, which is how this is meant to end. */
async function print({ client, json }: Session, filter: EventFilter): Promise<void> {
  await untilInterrupted(async (signal) => {
    for await (const event of client.followEvents(filter, { signal })) {
      const line = json ? JSON.stringify(event) : Object.values(row(event)).join('  ').trimEnd()
      process.stdout.write(`${json ? line : printable(line)}\n`)
    }
  })
}

function row(event: LogEvent): Row {
  const { id, createdAt, type, operation, schedule } = event
  return {
    ID: id,
    TIME: createdAt,
    EVENT: type,
    KIND: operation?.kind ?? 'schedule',
    OPERATION: operation?.id ?? schedule?.id ?? '',
    DETAIL: detail(event),
  }
}

function detail({ type, operation, schedule }: LogEvent): string {
  if (operation === null) return schedule === null ? '' : scheduleDetail(schedule)
  const { phase, doneBytes, totalBytes, state, error, lastError, nextRetryAt } = operation
  if (type === 'ended') return error === null ? state : `${state}: ${error.message} [${error.code}]`
  if (type === 'attempt-failed')
    return `${lastError}${nextRetryAt === null ? '' : `; next try ${nextRetryAt}`}`
  if (type !== 'progress' || phase === null) return ''
  return totalBytes === 0 ? phase : `${phase} ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`
}

function scheduleDetail({
  name,
  volumeId,
  lastGoodAt,
  scheduledAt,
}: NonNullable<LogEvent['schedule']>): string {
  if (scheduledAt !== null) return `${name}: nothing was running at ${scheduledAt}`
  return `${name}: volume ${volumeId}, last good backup ${lastGoodAt ?? 'never'}`
}
