const EVENTS_KEPT = 80

/** The last events, for whoever must understand a violation. */
export class Trace {
  readonly #events: { step: number; who: string; what: string; key: string; result: unknown }[] = []
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  add(who: string, what: string, key: string, result: unknown): void {
    this.#events.push({ step: this.#now(), who, what, key, result })
    if (this.#events.length > 2 * EVENTS_KEPT) this.#events.splice(0, EVENTS_KEPT)
  }

  toString(): string {
    return this.#events
      .slice(-EVENTS_KEPT)
      .map(
        ({ step, who, what, key, result }) => `${step} ${who}: ${what} ${short(key)} -> ${outcome(result)}`,
      )
      .join('\n')
  }
}

function short(key: string): string {
  return key.replaceAll(/([0-9a-f]{6})[0-9a-f]{10,58}/g, '$1…')
}

function outcome(result: unknown): string {
  if (result === undefined) return 'nothing'
  if (typeof result === 'string') return result
  if (typeof result === 'object' && result !== null && 'keys' in result && Array.isArray(result.keys)) {
    return (
      result.keys.map(([key]: [string]) => short(key.slice(key.lastIndexOf('/') + 1))).join(' ') || 'none'
    )
  }
  return 'done'
}
