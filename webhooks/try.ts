import type { WebhookRow } from '../database/webhooks/read.ts'
import type { Delivery } from '../database/webhooks/turns.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Message } from './message.ts'
import type { Answer, Poster } from './post.ts'
import { secretFingerprint, webhookSecret } from './secret.ts'
import { signatureHeaders } from './signature.ts'

/** One try, and what it means for the next one. */
export interface Try {
  readonly delivery: Delivery
  /** The receiver wants to be left alone for so long. */
  readonly retryAfterMs?: number
  /** 410: the receiver wants no more of this. */
  readonly isUnwanted: boolean
}

const GONE = 410

/** Sends a message, signed. Rejects only when the signal fires. */
export async function tryToDeliver(
  key: Uint8Array,
  webhook: WebhookRow,
  message: Message,
  poster: () => Poster,
  signal: AbortSignal,
): Promise<Try> {
  const startedMs = Date.now()
  let answer: Answer | undefined
  let error: string | null = null
  try {
    const identity = { id: message.id, timestampSeconds: Math.floor(startedMs / 1000) }
    const headers = signatureHeaders(secretsOf(key, webhook, startedMs), identity, message.body)
    answer = await poster().post(message.body, headers, signal)
    error = complaintOf(answer)
  } catch (thrown) {
    signal.throwIfAborted()
    error = thrown instanceof Error ? thrown.message : String(thrown)
  }
  const retryAfterMs =
    answer?.retryAfter === undefined ? undefined : retryAfterMsOf(answer.retryAfter, startedMs)
  return {
    delivery: {
      ...{ type: message.type, eventId: message.eventId, error },
      outcome: error === null ? 'delivered' : 'failed',
      statusCode: answer?.statusCode ?? null,
      durationMs: Date.now() - startedMs,
      createdAt: new Date(startedMs).toISOString(),
    },
    isUnwanted: answer?.statusCode === GONE,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}

/** The newest first; the one before while it is still honoured. Throws when this process has another key than the one who told it. */
function secretsOf(key: Uint8Array, webhook: WebhookRow, nowMs: number): string[] {
  const { id, secretGeneration, secretFingerprint: fingerprint, oldSecretUntil } = webhook
  const secret = webhookSecret(key, id, secretGeneration)
  if (secretFingerprint(secret) !== fingerprint) {
    throw new Error(
      'Expected the key with which the secret was made. Give the API and all control workers the same webhooks.keyFile; if it is lost, rotate the secret.',
    )
  }
  const isOldHonoured = oldSecretUntil !== null && nowMs < Date.parse(oldSecretUntil)
  return isOldHonoured ? [secret, webhookSecret(key, id, secretGeneration - 1)] : [secret]
}

function complaintOf({ statusCode }: Answer): string | null {
  if (statusCode >= 200 && statusCode < 300) return null
  const isRedirect = statusCode >= 300 && statusCode < 400
  return `the receiver answered ${statusCode}${isRedirect ? '; redirects are not followed' : ''}`
}

/** Seconds or a date. Bounded: nobody can send us away for ever. */
function retryAfterMsOf(text: string, nowMs: number): number | undefined {
  const afterMs = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return Number.isFinite(afterMs) ? Math.min(Math.max(afterMs, 0), LIMITS.webhookRetryMaxMs) : undefined
}
