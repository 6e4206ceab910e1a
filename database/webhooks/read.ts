import type { Selectable } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { newestFirst } from '../newest-first.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import type { WebhookDeliveriesTable, WebhooksTable } from '../schema.ts'
import { concerns } from './concern.ts'

export type WebhookRow = Selectable<WebhooksTable>
export type DeliveryRow = Selectable<WebhookDeliveriesTable>

export interface WebhookKey {
  readonly id: string
  readonly projectId: string
}

/** The row, if it exists in this project; else a 404 that does not tell whether another project has it. */
export async function requireWebhook(database: Database | Tx, key: WebhookKey): Promise<WebhookRow> {
  const row = await database
    .selectFrom('webhooks')
    .selectAll()
    .where('id', '=', key.id)
    .where('projectId', '=', key.projectId)
    .executeTakeFirst()
  if (row === undefined)
    throw new RequestError(404, 'webhookNotFound', `Webhook ${key.id} could not be found.`)
  return row
}

export interface WebhookFilter {
  readonly projectId: string
  readonly name?: string
  readonly limit: number
  /** Id of the last item of the page before. */
  readonly marker?: string
}

/** Newest first. */
export async function listWebhooks(database: Database, filter: WebhookFilter): Promise<WebhookRow[]> {
  const { marker: id, projectId } = filter
  const last = id === undefined ? undefined : await requireWebhook(database, { id, projectId })
  return newestFirst(database, 'webhooks', filter, last)
}

/** Events that wait to be delivered to each of these, counted up to `LIMITS.webhookBacklogShown`. */
export async function backlogs(
  database: Database,
  webhooks: readonly WebhookRow[],
): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const { id } of webhooks) {
    const waiting = database
      .selectFrom(['webhooks', 'events'])
      .select('events.id')
      .where('webhooks.id', '=', id)
      .where(concerns)
      .limit(LIMITS.webhookBacklogShown)
      .as('waiting')
    const { count } = await database
      .selectFrom(waiting)
      .select((eb) => eb.fn.countAll().as('count'))
      .executeTakeFirstOrThrow()
    counts.set(id, Number(count))
  }
  return counts
}

export interface DeliveryFilter {
  readonly webhookId: string
  readonly projectId: string
  readonly limit: number
  /** Number of the last item of the page before. */
  readonly before?: number
}

/** Newest first. Throws RequestError 404. */
export async function listDeliveries(database: Database, filter: DeliveryFilter): Promise<DeliveryRow[]> {
  await requireWebhook(database, { id: filter.webhookId, projectId: filter.projectId })
  let query = database
    .selectFrom('webhookDeliveries')
    .selectAll()
    .where('webhookId', '=', filter.webhookId)
    .orderBy('number', 'desc')
    .limit(filter.limit)
  if (filter.before !== undefined) query = query.where('number', '<', filter.before)
  return query.execute()
}

/** Throws RequestError 404. */
export async function requireDelivery(
  database: Database,
  { number, ...key }: WebhookKey & { readonly number: number },
): Promise<DeliveryRow> {
  await requireWebhook(database, key)
  const row = await database
    .selectFrom('webhookDeliveries')
    .selectAll()
    .where('webhookId', '=', key.id)
    .where('number', '=', number)
    .executeTakeFirst()
  if (row !== undefined) return row
  throw new RequestError(
    404,
    'deliveryNotFound',
    `Delivery ${number} of webhook ${key.id} could not be found.`,
  )
}
