import type { Logger } from 'pino'
import { dueWebhooks } from '../database/webhooks/turns.ts'
import { LIMITS } from '../domain/limits.ts'
import { takeTurn, type TurnDependencies } from './turn.ts'

/** Gives turns to the webhooks for which something waits, so many at a time. Any number of processes may have one. */
export class WebhookDeliverer {
  readonly #deps: TurnDependencies
  readonly #logger: Pick<Logger, 'warn'>
  readonly #signal: AbortSignal
  readonly #turns = new Map<string, Promise<void>>()

  constructor(deps: TurnDependencies, logger: Pick<Logger, 'warn'>, signal: AbortSignal) {
    this.#deps = deps
    this.#logger = logger
    this.#signal = signal
  }

  /** Begins turns, and does not wait for them: a slow receiver holds up itself alone. */
  async step(): Promise<void> {
    const room = LIMITS.webhookTurns - this.#turns.size
    if (room === 0) return
    for (const id of await dueWebhooks(this.#deps.database, room, Date.now())) {
      if (!this.#turns.has(id)) this.#turns.set(id, this.#take(id))
    }
  }

  /** Waits for the turns that are under way; the signal ends them. */
  async drain(): Promise<void> {
    await Promise.all(this.#turns.values())
  }

  async #take(id: string): Promise<void> {
    try {
      await takeTurn(this.#deps, id, this.#signal)
    } catch (error) {
      // What was not written down is delivered again after its lease.
      if (!this.#signal.aborted) this.#logger.warn({ webhook: id, err: error }, 'a turn of a webhook failed')
    } finally {
      this.#turns.delete(id)
    }
  }
}
