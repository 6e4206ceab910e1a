/** One at a time delivers for a webhook: it has a turn. */
import { LIMITS } from '../../domain/limits.ts'
import { TEST_MESSAGE } from '../../domain/webhooks.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import { concerns } from './concern.ts'
import type { DeliveryRow, WebhookRow } from './read.ts'

/** Webhooks for which there is something to do and nobody does it, those first that waited longest. */
export async function dueWebhooks(database: Database, limit: number, nowMs: number): Promise<string[]> {
  const rows = await database
    .selectFrom('webhooks')
    .select('webhooks.id')
    .where('leaseExpiresAtMs', '<=', nowMs)
    .where((eb) =>
      eb.or([
        eb.exists(
          eb
            .selectFrom('webhookDeliveries')
            .select('number')
            .whereRef('webhookId', '=', 'webhooks.id')
            .where('outcome', '=', 'waiting'),
        ),
        eb.and([
          eb('enabled', '=', 1),
          eb('nextTryAtMs', '<=', nowMs),
          eb.or([
            eb.exists(eb.selectFrom('events').select('events.id').where(concerns)),
            eb.exists(
              eb.selectFrom('eventLog').select('prunedId').whereRef('prunedId', '>', 'webhooks.cursorId'),
            ),
          ]),
        ]),
      ]),
    )
    .orderBy('leaseExpiresAtMs')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

/** Takes the lease. Undefined: somebody else has it, or the webhook is gone. */
export async function beginTurn(
  database: Database,
  id: string,
  nowMs: number,
): Promise<WebhookRow | undefined> {
  return database
    .updateTable('webhooks')
    .set((eb) => ({
      leaseToken: eb('leaseToken', '+', 1),
      leaseExpiresAtMs: nowMs + LIMITS.webhookLeaseMs,
    }))
    .where('id', '=', id)
    .where('leaseExpiresAtMs', '<=', nowMs)
    .returningAll()
    .executeTakeFirst()
}

/** The number of the test that waits. */
export async function waitingTest(database: Database, webhookId: string): Promise<number | undefined> {
  const row = await database
    .selectFrom('webhookDeliveries')
    .select('number')
    .where('webhookId', '=', webhookId)
    .where('type', '=', TEST_MESSAGE)
    .where('outcome', '=', 'waiting')
    .executeTakeFirst()
  return row?.number
}

export type Delivery = Omit<DeliveryRow, 'webhookId' | 'number'>

export type WebhookState = Pick<
  WebhookRow,
  | 'enabled'
  | 'disabledReason'
  | 'failures'
  | 'failingSince'
  | 'nextTryAtMs'
  | 'lastError'
  | 'lastErrorAt'
  | 'lastSuccessAt'
>

export interface TurnProgress {
  /** Everything up to here is done. */
  readonly cursorId: number
  readonly deliveries: readonly Delivery[]
  readonly state?: Partial<WebhookState>
  /** Gives the lease back. */
  readonly isOver: boolean
}

type Turn = Pick<WebhookRow, 'id' | 'leaseToken'>

/** Writes down how far the turn came, and renews its lease or gives it back. False: the lease was lost, and nothing is written. */
export async function saveTurn(
  database: Database,
  turn: Turn,
  { cursorId, deliveries, state, isOver }: TurnProgress,
  nowMs: number,
): Promise<boolean> {
  return database.transaction().execute(async (tx) => {
    const saved = await tx
      .updateTable('webhooks')
      .set((eb) => ({
        ...state,
        // Meanwhile it may have been moved past events that do not concern it.
        cursorId: eb.case().when('cursorId', '>', cursorId).then(eb.ref('cursorId')).else(cursorId).end(),
        deliveryCount: eb('deliveryCount', '+', deliveries.length),
        leaseExpiresAtMs: isOver ? nowMs : nowMs + LIMITS.webhookLeaseMs,
      }))
      .where('id', '=', turn.id)
      .where('leaseToken', '=', turn.leaseToken)
      .returning('deliveryCount')
      .executeTakeFirst()
    if (saved === undefined) return false
    await addDeliveries(tx, turn.id, deliveries, saved.deliveryCount)
    return true
  })
}

/** As `saveTurn`, for what became of a test. */
export async function saveTest(
  database: Database,
  turn: Turn,
  number: number,
  { outcome, statusCode, error, durationMs }: Delivery,
): Promise<void> {
  await database
    .updateTable('webhookDeliveries')
    .set({ outcome, statusCode, error, durationMs })
    .where('webhookId', '=', turn.id)
    .where('number', '=', number)
    .execute()
}

async function addDeliveries(
  tx: Tx,
  webhookId: string,
  deliveries: readonly Delivery[],
  newest: number,
): Promise<void> {
  const kept = deliveries.slice(-LIMITS.webhookDeliveriesKept)
  if (kept.length === 0) return
  const first = newest - kept.length + 1
  await tx
    .insertInto('webhookDeliveries')
    .values(kept.map((delivery, index) => ({ webhookId, number: first + index, ...delivery })))
    .execute()
  await tx
    .deleteFrom('webhookDeliveries')
    .where('webhookId', '=', webhookId)
    .where('number', '<=', newest - LIMITS.webhookDeliveriesKept)
    .execute()
}
