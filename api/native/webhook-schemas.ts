import { z } from 'zod'
import { EVENT_TYPES } from '../../domain/events.ts'
import { LIMITS } from '../../domain/limits.ts'
import { DELIVERY_OUTCOMES, WEBHOOK_STATUSES } from '../../domain/webhooks.ts'
import { ID, NAME } from './fields.ts'
import { KIND, page, TIME } from './schemas.ts'

const EVENT_TYPE = z.enum(EVENT_TYPES)
const URL = z.string().max(LIMITS.webhookUrlLengthMax).describe('https, and not of a private network')

const CHANGEABLE = {
  name: NAME.nullable().exactOptional(),
  eventTypes: z
    .array(EVENT_TYPE)
    .min(1)
    .max(EVENT_TYPES.length)
    .nullable()
    .exactOptional()
    .describe('Only these; null, the default: all but `progress`'),
  kinds: z
    .array(KIND)
    .min(1)
    .max(KIND.options.length)
    .nullable()
    .exactOptional()
    .describe('Only of operations of these kinds; null, the default: of all'),
  resourceId: ID.nullable().exactOptional().describe('Only of operations about this resource'),
  enabled: z
    .boolean()
    .exactOptional()
    .describe('Events wait while it is disabled; enabled again, it goes on where it was'),
}

export const CREATE_WEBHOOK = z.strictObject({ url: URL, ...CHANGEABLE }).meta({ id: 'CreateWebhook' })

export const UPDATE_WEBHOOK = z
  .strictObject({ url: URL.exactOptional(), ...CHANGEABLE })
  .meta({ id: 'UpdateWebhook' })

export const RETRY_WEBHOOK = z
  .strictObject({
    after: z
      .union([z.literal('newest'), z.int().min(0)])
      .exactOptional()
      .describe(
        'Go on behind this event instead, to hear again or to leave out; 0: from the oldest that is kept; newest: from now on',
      ),
  })
  .nullish()
  .meta({ id: 'RetryWebhook' })

export const ROTATE_SECRET = z
  .strictObject({
    oldSecretSeconds: z
      .int()
      .min(0)
      .max(LIMITS.webhookOldSecretMaxSeconds)
      .exactOptional()
      .describe('For so long messages are signed with the old secret, too; default a day'),
  })
  .nullish()
  .meta({ id: 'RotateWebhookSecret' })

export const WEBHOOK = z
  .object({
    id: z.string(),
    projectId: z.string(),
    userId: z.string(),
    name: z.string().nullable(),
    url: z.string(),
    eventTypes: z.array(EVENT_TYPE).nullable(),
    kinds: z.array(KIND).nullable(),
    resourceId: z.string().nullable(),
    status: z.enum(WEBHOOK_STATUSES),
    disabledReason: z.string().nullable(),
    lastEventId: z.int().describe('Everything up to this event was delivered, or is not for this webhook'),
    backlog: z
      .int()
      .describe(`Events that wait to be delivered; ${LIMITS.webhookBacklogShown}: as many or more`),
    failures: z.int().describe('Failed tries in a row'),
    failingSince: TIME.nullable(),
    nextTryAt: TIME.nullable(),
    lastError: z.string().nullable(),
    lastErrorAt: TIME.nullable(),
    lastSuccessAt: TIME.nullable(),
    secretFingerprint: z.string().describe('First digits of the SHA-256 of the secret'),
    oldSecretUntil: TIME.nullable().describe('Until then messages are signed with the secret before, too'),
    createdAt: TIME,
    updatedAt: TIME.nullable(),
  })
  .meta({ id: 'Webhook' })

export const WEBHOOK_SECRET = z
  .object({
    webhook: WEBHOOK,
    secret: z.string().describe('With which the receiver verifies signatures; shown here alone'),
  })
  .meta({ id: 'WebhookSecret' })

export const DELIVERY = z
  .object({
    number: z.int().describe('Counts the tries of the webhook'),
    type: z.string().describe('As in the message: `operation.ended`, `events.missing`, `webhook.test`'),
    eventId: z.int().nullable(),
    outcome: z.enum(DELIVERY_OUTCOMES),
    statusCode: z.int().nullable().describe('Of the answer, where there was one'),
    error: z.string().nullable(),
    durationMs: z.int().nullable(),
    createdAt: TIME,
  })
  .meta({ id: 'WebhookDelivery' })

export const WEBHOOK_PAGE = page('WebhookPage', WEBHOOK)

export const DELIVERY_PAGE = z
  .object({
    items: z.array(DELIVERY),
    next: z.int().nullable().describe('`before` of the next page; null: this is the last one'),
  })
  .meta({ id: 'WebhookDeliveryPage' })
