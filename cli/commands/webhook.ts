import { type Command, InvalidArgumentError, Option } from 'commander'
import type { WebhookFilter } from '../../sdk/webhooks.ts'
import type { Webhook, WebhookSecret } from '../../sdk/types.ts'
import { parseDuration } from '../duration.ts'
import { pageable } from '../options.ts'
import { printFields, printResult, printTable, say } from '../output.ts'
import { resolve } from '../resolve.ts'
import { type Session, sessionOf } from '../session.ts'
import type { Row } from '../table.ts'
import { deliveryCommands } from './webhook-deliveries.ts'
import { parseAfter, type WebhookOptions, webhookChange, webhookOptions } from './webhook-options.ts'

/** More than these are not counted by the API. */
const BACKLOG_COUNTED = 1000

export function webhookCommands(program: Command): void {
  const webhook = program.command('webhook').description('URLs that are told what happens to operations')
  webhookOptions(webhook.command('create'))
    .description('send what happens from now on to a URL')
    .argument('<url>', 'https, of a host that anybody could reach')
    .option('--disabled', 'let the events wait until it is enabled')
    .action(async (url: string, options: WebhookOptions & { disabled?: boolean }, command: Command) => {
      const session = sessionOf(command)
      const input = { url, ...webhookChange(options), ...(options.disabled === true && { enabled: false }) }
      showSecret(session, await session.client.webhooks.create(input, session.request))
    })
  webhookOptions(webhook.command('update'))
    .description('change what is given and leave the rest; events that wait are delivered accordingly')
    .argument('<webhook>', 'id or name')
    .option('--url <url>')
    .action(async (idOrName: string, options: WebhookOptions & { url?: string }, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'webhook', idOrName)
      const { url } = options
      const change = { ...webhookChange(options), ...(url === undefined ? {} : { url }) }
      show(session, await session.client.webhooks.update(id, change))
    })
  readCommands(webhook)
  deliveryCommands(webhook)
  actionCommands(webhook)
}

function readCommands(webhook: Command): void {
  pageable(webhook.command('list'))
    .description('list webhooks, newest first')
    .option('--name <name>')
    .action(async (filter: WebhookFilter, command: Command) => {
      const session = sessionOf(command)
      const page = await session.client.webhooks.list(filter)
      printTable(session, page, ['ID', 'NAME', 'STATUS', 'BACKLOG', 'URL'], page.items.map(row))
    })
  webhook
    .command('show')
    .description('show one webhook: how far it is, and what went wrong')
    .argument('<webhook>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      show(session, await session.client.webhooks.show(await resolve(session, 'webhook', idOrName)))
    })
}

function actionCommands(webhook: Command): void {
  const onWebhook = (
    name: string,
    about: string,
    act: (session: Session, id: string, options: Record<string, never>) => Promise<void>,
  ) =>
    webhook
      .command(name)
      .description(about)
      .argument('<webhook>', 'id or name')
      .action(async (idOrName: string, options: Record<string, never>, command: Command) => {
        const session = sessionOf(command)
        await act(session, await resolve(session, 'webhook', idOrName), options)
      })
  onWebhook('enable', 'deliver what waits, and what comes', async (session, id) =>
    show(session, await session.client.webhooks.update(id, { enabled: true })),
  )
  onWebhook('disable', 'let events wait until it is enabled again', async (session, id) =>
    show(session, await session.client.webhooks.update(id, { enabled: false })),
  )
  onWebhook('retry', 'try now to deliver what waits; enables it', async (session, id, options) =>
    show(session, await session.client.webhooks.retry(id, options)),
  ).option(
    '--after <id>',
    'go on behind this event instead; 0: from the oldest that is kept; newest: from now on',
    parseAfter,
  )
  onWebhook('rotate-secret', 'give it a new secret', async (session, id, { keepOld }) => {
    const input = keepOld === undefined ? {} : { oldSecretSeconds: keepOld }
    showSecret(session, await session.client.webhooks.rotateSecret(id, input))
  }).addOption(
    new Option(
      '--keep-old <duration>',
      'for so long messages are signed with the old one, too; default 1d',
    ).argParser(parseKeepOld),
  )
  onWebhook('delete', 'delete a webhook', async (session, id) => {
    const deleted = await session.client.webhooks.delete(id)
    printResult(session, deleted, () => `Deleted webhook ${id}`)
  })
}

function parseKeepOld(text: string): number {
  const seconds = parseDuration(text)
  if (seconds !== undefined) return seconds
  throw new InvalidArgumentError('Expected a duration such as 0s, 15m, 6h or 7d.')
}

function show(session: Session, webhook: Webhook): void {
  printFields(session, webhook, fields(webhook))
}

function showSecret(session: Session, answer: WebhookSecret): void {
  printFields(session, answer, { ...fields(answer.webhook), secret: answer.secret })
  if (!session.json) say('Give the secret to the receiver now: it is not shown again.')
}

function row({ id, name, status, backlog, url }: Webhook): Row {
  return { ID: id, NAME: name, STATUS: status, BACKLOG: counted(backlog), URL: url }
}

function fields(webhook: Webhook): Row {
  const { id, name, url, status, disabledReason, eventTypes, kinds, resourceId, failures } = webhook
  return {
    ...{ id, name, url, status },
    'disabled because': disabledReason,
    events: eventTypes?.join(', ') ?? 'all but progress',
    'of operations': kinds?.join(', '),
    'about resource': resourceId,
    'last event': webhook.lastEventId,
    waiting: counted(webhook.backlog),
    'failed tries': failures === 0 ? null : failures,
    'failing since': webhook.failingSince,
    'next try': webhook.nextTryAt,
    'last error': webhook.lastError === null ? null : `${webhook.lastErrorAt} ${webhook.lastError}`,
    'last success': webhook.lastSuccessAt,
    'secret fingerprint': webhook.secretFingerprint,
    'old secret until': webhook.oldSecretUntil,
    created: webhook.createdAt,
    updated: webhook.updatedAt,
  }
}

function counted(backlog: number): string {
  return backlog >= BACKLOG_COUNTED ? `${BACKLOG_COUNTED} or more` : String(backlog)
}
