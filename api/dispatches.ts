import { setTimeout as delay } from 'node:timers/promises'
import { LIMITS } from '../domain/limits.ts'
import type { ApiDependencies } from './dependencies.ts'

/** Dispatches in the background, each best effort: an operation that is not dispatched here is found by the sweeper. */
export class Dispatches {
  readonly #deps: Pick<ApiDependencies, 'dispatch' | 'logger'>
  readonly #underWay = new Set<Promise<void>>()

  constructor(deps: Pick<ApiDependencies, 'dispatch' | 'logger'>) {
    this.#deps = deps
  }

  start(operationId: string): void {
    if (this.#underWay.size >= LIMITS.dispatchesMax) return
    const dispatch = this.#deps.dispatch(operationId).catch((error: unknown) => {
      this.#deps.logger.warn({ operationId, err: error }, 'dispatch failed; the sweeper will repeat it')
    })
    this.#underWay.add(dispatch)
    void dispatch.then(() => this.#underWay.delete(dispatch))
  }

  /** Waits for what is under way, but not long. */
  async drain(): Promise<void> {
    const timeout = new AbortController()
    const all = Promise.all(this.#underWay)
    await Promise.race([all, delay(LIMITS.dispatchDrainMs, undefined, { signal: timeout.signal })])
    timeout.abort()
  }
}
