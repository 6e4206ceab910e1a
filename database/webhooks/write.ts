import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import type { EventType } from '../../domain/events.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { OperationKind } from '../../domain/operations.ts'
import { TEST_MESSAGE } from '../../domain/webhooks.ts'
import { eventPosition, requireKept } from '../events/read.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import type { Tx } from '../resources.ts'
import { type DeliveryRow, requireWebhook, type WebhookKey, type WebhookRow } from './read.ts'

/** What of a webhook can be changed. */
export interface WebhookChange {
  readonly name?: string | null
  readonly url?: string
  /** Null: all but `progress`. */
  readonly eventTypes?: readonly EventType[] | null
  /** Null: all. */
  readonly kinds?: readonly OperationKind[] | null
  readonly resourceId?: string | null
  readonly enabled?: boolean
}

export type WebhookRequest = WebhookChange & { readonly url: string }

/** The database keeps no more of a secret than its fingerprint. */
type SecretOf = (id: string, generation: number) => { readonly fingerprint: string }

/** It is told of what happens from now on. Throws RequestError 409. */
export function createWebhook(
  database: Database,
  actor: Actor,
  request: WebhookRequest,
  secretOf: SecretOf,
): Promise<Accepted & { replayed: boolean }> {
  const id = randomUUID()
  return requestOnce(database, actor, { createWebhook: request }, async (tx) => {
    const { projectId, userId } = actor
    await requireRoom(tx, projectId)
    const { lastId } = await eventPosition(tx)
    await tx
      .insertInto('webhooks')
      .values({
        ...{ id, projectId, userId, url: request.url, enabled: 1 },
        ...columnsOf(request),
        secretGeneration: 1,
        secretFingerprint: secretOf(id, 1).fingerprint,
        cursorId: lastId,
        createdAt: new Date().toISOString(),
      })
      .execute()
    return { operationId: null, resourceId: id }
  })
}

/** Applies from the next event on, those that wait included. Enabled again, it goes on where it was. */
export function updateWebhook(
  database: Database,
  key: WebhookKey,
  change: WebhookChange,
): Promise<WebhookRow> {
  return changeWebhook(database, key, () => columnsOf(change))
}

/** Tries now, from where it was or behind another event; enables it. Throws RequestError 400 or 410 for that event. */
export function retryWebhook(
  database: Database,
  key: WebhookKey,
  after: number | 'newest' | undefined,
): Promise<WebhookRow> {
  return changeWebhook(database, key, async (_webhook, tx) => {
    const position = await eventPosition(tx)
    if (typeof after === 'number') requireKept(after, position)
    const cursorId = after === 'newest' ? position.lastId : Math.max(after ?? 0, position.prunedId)
    return { ...ENABLED, ...(after === undefined ? {} : { cursorId }) }
  })
}

/** Gives it a new secret; the one before goes on signing for as long as is said. */
export function rotateSecret(
  database: Database,
  key: WebhookKey,
  oldSecretSeconds: number,
  secretOf: SecretOf,
): Promise<WebhookRow> {
  return changeWebhook(database, key, ({ secretGeneration }) => ({
    secretGeneration: secretGeneration + 1,
    secretFingerprint: secretOf(key.id, secretGeneration + 1).fingerprint,
    oldSecretUntil:
      oldSecretSeconds === 0 ? null : new Date(Date.now() + oldSecretSeconds * 1000).toISOString(),
  }))
}

/** Asks for a test message; while one waits, that is the one. */
export async function requestTest(database: Database, key: WebhookKey): Promise<DeliveryRow> {
  return database.transaction().execute(async (tx) => {
    const { id, deliveryCount } = await requireWebhook(tx, key)
    const waiting = await tx
      .selectFrom('webhookDeliveries')
      .selectAll()
      .where('webhookId', '=', id)
      .where('outcome', '=', 'waiting')
      .executeTakeFirst()
    if (waiting !== undefined) return waiting
    const number = deliveryCount + 1
    await tx.updateTable('webhooks').set({ deliveryCount: number }).where('id', '=', id).execute()
    return tx
      .insertInto('webhookDeliveries')
      .values({
        ...{ webhookId: id, number, type: TEST_MESSAGE, outcome: 'waiting' },
        createdAt: new Date().toISOString(),
      })
      .returningAll()
      .executeTakeFirstOrThrow()
  })
}

/** Answers with what it was. */
export async function deleteWebhook(database: Database, key: WebhookKey): Promise<WebhookRow> {
  return database.transaction().execute(async (tx) => {
    const webhook = await requireWebhook(tx, key)
    await tx.deleteFrom('webhookDeliveries').where('webhookId', '=', key.id).execute()
    await tx.deleteFrom('webhooks').where('id', '=', key.id).execute()
    return webhook
  })
}

type Columns = Partial<Omit<WebhookRow, 'leaseToken' | 'leaseExpiresAtMs'>>

const ENABLED: Columns = {
  enabled: 1,
  disabledReason: null,
  failures: 0,
  failingSince: null,
  nextTryAtMs: 0,
}

function columnsOf({ enabled, eventTypes, kinds, ...rest }: WebhookChange): Columns {
  return {
    ...rest,
    ...(eventTypes === undefined ? {} : { eventTypes: listOf(eventTypes) }),
    ...(kinds === undefined ? {} : { kinds: listOf(kinds) }),
    ...(enabled === true ? ENABLED : {}),
    ...(enabled === false ? { enabled: 0, disabledReason: 'By a user.' } : {}),
  }
}

function listOf(words: readonly string[] | null): string | null {
  return words === null ? null : JSON.stringify(words)
}

/** Whoever delivers for it now loses its lease: what it is doing belongs to the webhook as it was. */
async function changeWebhook(
  database: Database,
  key: WebhookKey,
  change: (webhook: WebhookRow, tx: Tx) => Columns | Promise<Columns>,
): Promise<WebhookRow> {
  return database.transaction().execute(async (tx) => {
    const columns = await change(await requireWebhook(tx, key), tx)
    return tx
      .updateTable('webhooks')
      .set((eb) => ({
        ...columns,
        leaseToken: eb('leaseToken', '+', 1),
        leaseExpiresAtMs: 0,
        updatedAt: new Date().toISOString(),
      }))
      .where('id', '=', key.id)
      .returningAll()
      .executeTakeFirstOrThrow()
  })
}

async function requireRoom(tx: Tx, projectId: string): Promise<void> {
  const { count } = await tx
    .selectFrom('webhooks')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('projectId', '=', projectId)
    .executeTakeFirstOrThrow()
  if (Number(count) < LIMITS.webhooksMax) return
  throw new RequestError(
    409,
    'tooManyWebhooks',
    `Expected fewer than ${LIMITS.webhooksMax} webhooks in the project. Delete one first.`,
  )
}
