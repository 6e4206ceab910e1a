import { setTimeout as sleep } from 'node:timers/promises'
import { LIMITS } from '../domain/limits.ts'

/** Holds bytes up so that no more than a rate pass in a second. The rate may change while they wait. */
export class Pacer {
  /** Bytes a second; null: no limit. */
  rate: number | null
  #owed = 0
  #countedAtMs = performance.now()
  #line: Promise<void> = Promise.resolve()

  constructor(rate: number | null) {
    this.rate = rate
  }

  /** Resolves when these bytes may move, in the order of the calls. Rejects with the signal's reason. */
  pass(bytes: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    if (this.rate === null && this.#owed === 0) return Promise.resolve()
    this.#line = this.#line.catch(() => undefined).then(() => this.#pass(bytes, signal))
    return this.#line
  }

  /** What passed before is owed; time pays it back. */
  async #pass(bytes: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const waitMs = this.#payBack()
      if (waitMs <= 0) break
      await sleep(Math.min(waitMs, LIMITS.paceStepMs), undefined, { signal }).catch(() => undefined)
    }
    this.#owed += this.rate === null ? 0 : bytes
  }

  /** Returns the milliseconds until all is paid. What a timer was late is made good; an idle time is not. */
  #payBack(): number {
    const nowMs = performance.now()
    const elapsedMs = nowMs - this.#countedAtMs
    this.#countedAtMs = nowMs
    if (this.rate === null) {
      this.#owed = 0
      return 0
    }
    const perMs = this.rate / 1000
    this.#owed = Math.max(-LIMITS.paceLateMs * perMs, this.#owed - elapsedMs * perMs)
    return this.#owed / perMs
  }
}
