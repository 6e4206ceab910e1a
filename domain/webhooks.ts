/** The words of webhooks: events of the log, sent to URLs of users. */
import { type EventType, isOfSchedule } from './events.ts'
import { LIMITS } from './limits.ts'

export const WEBHOOK_STATUSES = ['active', 'failing', 'disabled'] as const
export type WebhookStatus = (typeof WEBHOOK_STATUSES)[number]

/** `waiting`: a test that was asked for and not sent yet. */
export const DELIVERY_OUTCOMES = ['waiting', 'delivered', 'failed'] as const
export type DeliveryOutcome = (typeof DELIVERY_OUTCOMES)[number]

/** Sent on request, to try a receiver. */
export const TEST_MESSAGE = 'webhook.test'
/** Sent in the place of events that were removed before they could be delivered. */
export const MISSING_MESSAGE = 'events.missing'

/** `ended` -> `operation.ended`, as Standard Webhooks wants a type. */
export function messageTypeOf(type: EventType): string {
  return `${isOfSchedule(type) ? 'schedule' : 'operation'}.${type}`
}

/** Delay before the try that follows so many failed ones. `random` (0 to 1) keeps receivers from being called all at once. */
export function webhookRetryMs(failures: number, random: number): number {
  const { webhookRetryMinMs, webhookRetryMaxMs } = LIMITS
  const delayMs = Math.min(webhookRetryMinMs * 2 ** Math.min(failures - 1, 30), webhookRetryMaxMs)
  return Math.round(delayMs * (0.75 + random / 4))
}
