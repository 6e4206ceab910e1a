import type { EventRow } from '../database/events/read.ts'
import { messageTypeOf, MISSING_MESSAGE, TEST_MESSAGE } from '../domain/webhooks.ts'

export interface Message {
  /** The same with each try, and of no other message: receivers drop repeats by it. */
  readonly id: string
  readonly type: string
  readonly eventId: number | null
  /** As it is signed and sent. */
  readonly body: string
}

/** How an event is shown: as the API shows it. */
export type EventView = (event: EventRow) => object

export function eventMessage(webhookId: string, event: EventRow, view: EventView): Message {
  const type = messageTypeOf(event.type)
  return {
    ...{ id: `msg_${webhookId}_${event.id}`, type, eventId: event.id },
    body: bodyOf(type, event.createdAt, view(event)),
  }
}

/** The log was pruned behind the cursor: the receiver must know that it has not heard everything. */
export function missingMessage(
  webhookId: string,
  { afterId, upToId }: { afterId: number; upToId: number },
  nowMs: number,
): Message {
  return {
    ...{ id: `msg_${webhookId}_missing_${upToId}`, type: MISSING_MESSAGE, eventId: null },
    body: bodyOf(MISSING_MESSAGE, new Date(nowMs).toISOString(), { afterId, upToId }),
  }
}

export function testMessage(webhookId: string, number: number, nowMs: number): Message {
  return {
    ...{ id: `msg_${webhookId}_test_${number}`, type: TEST_MESSAGE, eventId: null },
    body: bodyOf(TEST_MESSAGE, new Date(nowMs).toISOString(), { webhookId }),
  }
}

function bodyOf(type: string, timestamp: string, data: object): string {
  return JSON.stringify({ type, timestamp, data })
}
