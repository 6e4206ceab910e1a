import type { z } from 'zod'
import type { EventType } from '../../domain/events.ts'
import type { OperationKind } from '../../domain/operations.ts'
import type { WebhookStatus } from '../../domain/webhooks.ts'
import type { DeliveryRow, WebhookRow } from '../../database/webhooks/read.ts'
import type { DELIVERY, WEBHOOK } from './webhook-schemas.ts'

export function webhookView(row: WebhookRow, backlog: number): z.infer<typeof WEBHOOK> {
  const { id, projectId, userId, name, url, resourceId, disabledReason, failures, failingSince } = row
  const { lastError, lastErrorAt, lastSuccessAt, secretFingerprint, oldSecretUntil } = row
  const { createdAt, updatedAt } = row
  const status = statusOf(row)
  return {
    ...{ id, projectId, userId, name, url },
    eventTypes: listOf<EventType>(row.eventTypes),
    kinds: listOf<OperationKind>(row.kinds),
    ...{ resourceId, status, disabledReason },
    lastEventId: row.cursorId,
    ...{ backlog, failures, failingSince },
    nextTryAt: status === 'failing' ? new Date(row.nextTryAtMs).toISOString() : null,
    ...{ lastError, lastErrorAt, lastSuccessAt, secretFingerprint, oldSecretUntil, createdAt, updatedAt },
  }
}

export function deliveryView(row: DeliveryRow): z.infer<typeof DELIVERY> {
  const { number, type, eventId, outcome, statusCode, error, durationMs, createdAt } = row
  return { number, type, eventId, outcome, statusCode, error, durationMs, createdAt }
}

function statusOf({ enabled, failures }: WebhookRow): WebhookStatus {
  if (enabled === 0) return 'disabled'
  return failures > 0 ? 'failing' : 'active'
}

function listOf<T extends string>(json: string | null): T[] | null {
  return json === null ? null : (JSON.parse(json) as T[])
}
