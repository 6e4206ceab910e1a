import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type EventHead, eventHeadsAfter, eventPosition } from '../../database/events/read.ts'
import type { Database } from '../../database/open.ts'
import { LIMITS } from '../../domain/limits.ts'
import { HttpError } from '../http-error.ts'

export type Concerns = (event: EventHead) => boolean

/** What a watcher holds: it looks at the log itself, and asks here when to look again. */
export interface Watching {
  /** True: there may be something new since the last call. False: not for `timeoutMs`. Rejects when the signal fires. */
  news(timeoutMs: number, signal: AbortSignal): Promise<boolean>
  stop(): void
}

interface Watcher {
  readonly concerns: Concerns
  rung: boolean
  wake: () => void
}

/** Asks the log for news on behalf of all watchers, and wakes those whom they concern. Asks nothing while nobody watches. */
export class EventBell {
  readonly #database: Database
  readonly #logger: Pick<Logger, 'warn'>
  readonly #watchers = new Set<Watcher>()
  #position = 0
  #isRunning = false

  constructor(database: Database, logger: Pick<Logger, 'warn'>) {
    this.#database = database
    this.#logger = logger
  }

  /** Throws HttpError 503 when too many watch already. */
  watch(concerns: Concerns): Watching {
    if (this.#watchers.size >= LIMITS.watchersMax) {
      throw new HttpError(
        503,
        'tooManyWatchers',
        'Too many clients watch now. Try again in a few seconds, or ask without watching.',
      )
    }
    const watcher: Watcher = { concerns, rung: true, wake: () => {} }
    this.#watchers.add(watcher)
    if (!this.#isRunning) void this.#run()
    return {
      news: (timeoutMs, signal) => untilRung(watcher, timeoutMs, signal),
      stop: () => void this.#watchers.delete(watcher),
    }
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    let isLost = true
    while (this.#watchers.size > 0) {
      try {
        if (isLost) await this.#start()
        isLost = false
        await this.#listen()
        await delay(LIMITS.watchIntervalMs)
      } catch (error) {
        if (!isLost) this.#logger.warn({ err: error }, 'the log of events could not be read; trying again')
        isLost = true
        await delay(LIMITS.watchRetryMs)
      }
    }
    this.#isRunning = false
  }

  /** What happened before now is for the watchers to look up: each is woken once. */
  async #start(): Promise<void> {
    this.#position = (await eventPosition(this.#database)).lastId
    for (const watcher of this.#watchers) ring(watcher)
  }

  async #listen(): Promise<void> {
    let heads: EventHead[]
    do {
      heads = await eventHeadsAfter(this.#database, this.#position, LIMITS.watchBatch)
      for (const watcher of this.#watchers) if (heads.some(watcher.concerns)) ring(watcher)
      this.#position = heads.at(-1)?.id ?? this.#position
    } while (heads.length === LIMITS.watchBatch)
  }
}

function ring(watcher: Watcher): void {
  watcher.rung = true
  watcher.wake()
}

async function untilRung(watcher: Watcher, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted()
  if (!watcher.rung) {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(done, timeoutMs)
      const onAbort = () => (clearTimeout(timer), reject(signal.reason as Error))
      function done() {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      watcher.wake = done
    })
  }
  const { rung } = watcher
  watcher.rung = false
  return rung
}
