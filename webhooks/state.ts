import type { WebhookState } from '../database/webhooks/turns.ts'
import { LIMITS } from '../domain/limits.ts'
import { webhookRetryMs } from '../domain/webhooks.ts'
import type { Try } from './try.ts'

const DAY_MS = 86_400_000

/** What a try changes of a webhook: when the next one is due, and whether there is one. */
export function stateAfter(state: WebhookState, tried: Try, nowMs: number): Partial<WebhookState> {
  const { outcome, error, createdAt } = tried.delivery
  const now = new Date(nowMs).toISOString()
  if (outcome === 'delivered') return { failures: 0, failingSince: null, nextTryAtMs: 0, lastSuccessAt: now }
  const failures = state.failures + 1
  const failingSince = state.failingSince ?? createdAt
  const reason = reasonToGiveUp(tried, nowMs - Date.parse(failingSince))
  return {
    ...{ failures, failingSince, lastError: error, lastErrorAt: now },
    nextTryAtMs: nowMs + Math.max(webhookRetryMs(failures, Math.random()), tried.retryAfterMs ?? 0),
    ...(reason === undefined ? {} : { enabled: 0, disabledReason: reason }),
  }
}

/** After too long a time of failures the receiver is not coming back, or nobody misses it. */
function reasonToGiveUp({ delivery, isUnwanted }: Try, failingMs: number): string | undefined {
  if (isUnwanted) return 'The receiver answered 410: it wants no more messages.'
  if (failingMs <= LIMITS.webhookFailureMaxMs) return undefined
  const days = LIMITS.webhookFailureMaxMs / DAY_MS
  return `Nothing could be delivered for ${days} days. Last error: ${delivery.error}.`
}
