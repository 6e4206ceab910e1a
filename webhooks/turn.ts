import type { Database } from '../database/open.ts'
import { pendingEvents } from '../database/webhooks/pending.ts'
import type { WebhookRow } from '../database/webhooks/read.ts'
import {
  beginTurn,
  type Delivery,
  saveTest,
  saveTurn,
  waitingTest,
  type WebhookState,
} from '../database/webhooks/turns.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Destinations } from './destinations.ts'
import { eventMessage, type EventView, type Message, missingMessage, testMessage } from './message.ts'
import { Poster, type ResolveHost } from './post.ts'
import { stateAfter } from './state.ts'
import { type Try, tryToDeliver } from './try.ts'

export interface TurnDependencies {
  readonly database: Database
  /** From which the secrets are derived. */
  readonly key: Uint8Array
  readonly destinations: Destinations
  readonly view: EventView
  /** Default: the system's. */
  readonly resolveHost?: ResolveHost
}

/**
 * Delivers what waits for one webhook, in order: each message once the one before was taken. Ends with a failure, when there is
 * nothing left, when others shall have their turn, or when somebody else took over. A turn that dies is repeated from what was saved.
 */
export async function takeTurn(
  deps: TurnDependencies,
  webhookId: string,
  signal: AbortSignal,
): Promise<void> {
  const webhook = await beginTurn(deps.database, webhookId, Date.now())
  if (webhook === undefined) return
  const turn = new Turn(deps, webhook, signal)
  try {
    await turn.sendTest()
    if (webhook.enabled === 1 && webhook.nextTryAtMs <= Date.now()) await turn.sendEvents()
  } finally {
    await turn.end()
  }
}

class Turn {
  readonly #deps: TurnDependencies
  readonly #webhook: WebhookRow
  readonly #signal: AbortSignal
  readonly #endsAtMs = Date.now() + LIMITS.webhookTurnMs
  #poster: Poster | undefined
  #cursorId: number
  #unsaved: Delivery[] = []
  #state: Partial<WebhookState> = {}
  #savedAtMs = Date.now()
  #isLost = false

  constructor(deps: TurnDependencies, webhook: WebhookRow, signal: AbortSignal) {
    this.#deps = deps
    this.#webhook = webhook
    this.#signal = signal
    this.#cursorId = webhook.cursorId
  }

  /** The one that was asked for, if any; its outcome changes nothing else. */
  async sendTest(): Promise<void> {
    const { database } = this.#deps
    const number = await waitingTest(database, this.#webhook.id)
    if (number === undefined) return
    const { delivery } = await this.#try(testMessage(this.#webhook.id, number, Date.now()))
    await saveTest(database, this.#webhook, number, delivery)
  }

  async sendEvents(): Promise<void> {
    const { id } = this.#webhook
    for (let isComplete = false; !isComplete;) {
      const pending = await pendingEvents(this.#deps.database, id, this.#cursorId)
      if (pending.missingUpToId !== undefined) {
        const range = { afterId: this.#cursorId, upToId: pending.missingUpToId }
        if (!(await this.#deliver(missingMessage(id, range, Date.now()), range.upToId))) return
        continue
      }
      for (const event of pending.events) {
        if (!(await this.#deliver(eventMessage(id, event, this.#deps.view), event.id))) return
      }
      this.#cursorId = pending.seenUpToId
      isComplete = pending.isComplete
    }
  }

  /** Saves the rest and gives the lease back. */
  async end(): Promise<void> {
    this.#poster?.close()
    if (!this.#isLost) await this.#save(true)
  }

  /** False: the turn is over. */
  async #deliver(message: Message, cursorId: number): Promise<boolean> {
    const nowMs = Date.now()
    if (this.#signal.aborted || nowMs > this.#endsAtMs) return false
    if (nowMs - this.#savedAtMs > LIMITS.webhookSaveMs && !(await this.#save(false))) return false
    const tried = await this.#try(message)
    this.#unsaved.push(tried.delivery)
    this.#state = { ...this.#state, ...stateAfter({ ...this.#webhook, ...this.#state }, tried, Date.now()) }
    if (tried.delivery.outcome === 'failed') return false
    this.#cursorId = cursorId
    return true
  }

  #try(message: Message): Promise<Try> {
    const { key, destinations, resolveHost } = this.#deps
    const poster = () => (this.#poster ??= new Poster(this.#webhook.url, destinations, resolveHost))
    return tryToDeliver(key, this.#webhook, message, poster, this.#signal)
  }

  async #save(isOver: boolean): Promise<boolean> {
    const progress = { cursorId: this.#cursorId, deliveries: this.#unsaved, state: this.#state, isOver }
    const nowMs = Date.now()
    this.#isLost = !(await saveTurn(this.#deps.database, this.#webhook, progress, nowMs))
    this.#unsaved = []
    this.#savedAtMs = nowMs
    return !this.#isLost
  }
}
