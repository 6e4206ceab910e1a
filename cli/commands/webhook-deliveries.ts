import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import type { WebhookDelivery } from '../../sdk/types.ts'
import { CliError, Concluded, EXIT } from '../exit-codes.ts'
import { untilInterrupted } from '../interrupt.ts'
import { parseCount } from '../options.ts'
import { printResult, printTable } from '../output.ts'
import { resolve } from '../resolve.ts'
import { type Session, sessionOf } from '../session.ts'
import type { Row } from '../table.ts'

/** A control worker sends it within a second, and waits ten seconds for an answer. */
const TEST_TIMEOUT_MS = 30_000
const TEST_POLL_MS = 100

export function deliveryCommands(webhook: Command): void {
  webhook
    .command('deliveries')
    .description('list tries to deliver, newest first')
    .argument('<webhook>', 'id or name')
    .option('--limit <count>', 'at most this many', parseCount)
    .option('--before <number>', 'only what came before this one', parseCount)
    .action(async (idOrName: string, page: { limit?: number; before?: number }, command: Command) => {
      const session = sessionOf(command)
      const answer = await session.client.webhooks.listDeliveries(
        await resolve(session, 'webhook', idOrName),
        page,
      )
      const columns = ['NUMBER', 'TIME', 'MESSAGE', 'EVENT', 'STATUS', 'ANSWER', 'MS', 'ERROR']
      printTable(session, answer, columns, answer.items.map(row), '--before')
    })
  webhook
    .command('test')
    .description('send a test message and say what became of it, also while the webhook is disabled')
    .argument('<webhook>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'webhook', idOrName)
      const delivery = await outcomeOf(session, id, await session.client.webhooks.test(id))
      const { outcome, statusCode, error, durationMs } = delivery
      const took = `after ${durationMs ?? 0} ms`
      printResult(session, delivery, () =>
        outcome === 'delivered' ? `Delivered: answered ${statusCode} ${took}` : `Failed ${took}: ${error}`,
      )
      if (outcome !== 'delivered') throw new Concluded(EXIT.failed)
    })
}

async function outcomeOf(
  { client }: Session,
  id: string,
  { number }: WebhookDelivery,
): Promise<WebhookDelivery> {
  const deadlineMs = Date.now() + TEST_TIMEOUT_MS
  const delivery = await untilInterrupted(async (signal) => {
    for (;;) {
      const now = await client.webhooks.showDelivery(id, number, { signal })
      if (now.outcome !== 'waiting' || Date.now() > deadlineMs) return now
      await delay(TEST_POLL_MS, undefined, { signal })
    }
  })
  if (delivery === 'interrupted')
    throw new CliError(EXIT.interrupted, 'interrupted', `The test of webhook ${id} is still to be sent.`)
  if (delivery.outcome !== 'waiting') return delivery
  const seconds = TEST_TIMEOUT_MS / 1000
  throw new CliError(
    EXIT.failed,
    'notSent',
    `The test message was not sent within ${seconds} s. Does a control worker run?`,
  )
}

function row(delivery: WebhookDelivery): Row {
  const { number, createdAt, type, eventId, outcome, statusCode, durationMs, error } = delivery
  return {
    NUMBER: number,
    TIME: createdAt,
    MESSAGE: type,
    EVENT: eventId,
    STATUS: outcome,
    ANSWER: statusCode,
    MS: durationMs,
    ERROR: error,
  }
}
