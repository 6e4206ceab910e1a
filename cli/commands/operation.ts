import { type Command, Option } from 'commander'
import { formatBytes } from '../../domain/sizes.ts'
import type { OperationFilter } from '../../sdk/filters.ts'
import type { Operation } from '../../sdk/types.ts'
import { Concluded, EXIT } from '../exit-codes.ts'
import { endLine, exitCodeOfOperation, follow } from '../follow.ts'
import { pageable } from '../options.ts'
import { printFields, printResult, printTable, say } from '../output.ts'
import { sessionOf } from '../session.ts'
import type { Row } from '../table.ts'
import { watch } from '../watch.ts'
import { controlCommands, limitText } from './operation-controls.ts'

const STATES = ['pending', 'running', 'succeeded', 'failed', 'cancelled']

export function operationCommands(program: Command): void {
  const operation = program.command('operation').description('pieces of long work')
  pageable(operation.command('list'))
    .description('list operations, newest first')
    .addOption(new Option('--state <state>').choices(STATES))
    .option('--kind <kind>', 'such as create-volume')
    .option('--resource-id <id>', 'only those about this resource')
    .action(async (filter: OperationFilter, command: Command) => {
      const session = sessionOf(command)
      const page = await session.client.listOperations(filter)
      const columns = ['ID', 'KIND', 'STATE', 'PHASE', 'DONE', 'RESOURCE', 'CREATED']
      printTable(session, page, columns, page.items.map(row))
    })
  operation
    .command('show')
    .description('show one operation')
    .argument('<operation>', 'id')
    .action(async (id: string, _options, command: Command) => {
      const session = sessionOf(command)
      const shown = await session.client.showOperation(id)
      printFields(session, shown, fields(shown))
    })
  operation
    .command('watch')
    .description('follow an operation to its end; --json prints a line for each change')
    .argument('<operation>', 'id')
    .action((id: string, _options, command: Command) => watch(sessionOf(command), id))
  operation
    .command('cancel')
    .description('cancel an operation: what it did is undone')
    .argument('<operation>', 'id')
    .action((id: string, _options, command: Command) => cancel(command, id))
  controlCommands(operation)
}

async function cancel(command: Command, id: string): Promise<void> {
  const session = sessionOf(command)
  const answer = await session.client.cancelOperation(id)
  const { finishedAt } = answer.operation
  if (!session.wait && finishedAt === null) {
    printResult(session, answer, () => `Operation ${id} is being cancelled`)
    return
  }
  const ended = await follow(session, answer.operation)
  const isCancelled = ended.state === 'cancelled'
  if (isCancelled || session.json) {
    printResult(session, { operation: ended }, () => `Operation ${id} is cancelled`)
  } else say(endLine(process.stderr, ended))
  if (!isCancelled) throw new Concluded(exitCodeOfOperation(ended) || EXIT.failed)
}

function row(operation: Operation): Row {
  const { id, kind, state, phase, resourceId, createdAt } = operation
  return {
    ID: id,
    KIND: kind,
    STATE: state,
    PHASE: phase,
    DONE: done(operation),
    RESOURCE: resourceId,
    CREATED: createdAt,
  }
}

function done({ doneBytes, totalBytes }: Operation): string {
  return totalBytes === 0
    ? ''
    : `${Math.floor((doneBytes / totalBytes) * 100)} % of ${formatBytes(totalBytes)}`
}

function fields(operation: Operation): Row {
  const { id, kind, state, resourceType, resourceId, phase, movedBytes, error, result } = operation
  return {
    id,
    kind,
    state,
    [resourceType]: resourceId,
    phase,
    done: done(operation),
    moved: formatBytes(movedBytes),
    attempt: operation.attempt,
    'last error': operation.lastError,
    'next try': operation.nextRetryAt,
    'waits for': operation.waitingFor,
    'paused on request': operation.paused || null,
    limit: limitText(operation.rateLimitBytes),
    'cancel requested': operation.cancelRequested,
    'past its commit point': operation.committed,
    error: error === null ? null : `${error.message} [${error.code}]`,
    result: result === null ? null : JSON.stringify(result),
    superseded: operation.superseded || null,
    'request id': operation.requestId,
    created: operation.createdAt,
    started: operation.startedAt,
    finished: operation.finishedAt,
  }
}
