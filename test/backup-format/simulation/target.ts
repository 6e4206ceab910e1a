/** How a process reaches the store: each request is a step, may fail in every way that networks have, and a list is no snapshot. */
import type { BackupTarget, StoredObject } from '../../../backup-format/target.ts'
import { DriverError } from '../../../domain/errors.ts'
import type { Random } from './random.ts'
import type { Process, Scheduler } from './scheduler.ts'
import type { Store } from './store.ts'
import type { Trace } from './trace.ts'

const LIST_PAGE_KEYS_MAX = 12

export interface Network {
  readonly store: Store
  readonly scheduler: Scheduler
  readonly random: Random
  readonly trace: Trace
}

type Fault = 'request lost' | 'answer lost' | 'delayed'
const FAULTS: readonly Fault[] = ['request lost', 'answer lost', 'delayed']

export class SimulatedTarget implements BackupTarget {
  readonly kind = 'simulated'
  readonly #network: Network
  readonly #process: Process

  constructor(network: Network, process: Process) {
    this.#network = network
    this.#process = process
  }

  putIfAbsent(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    // The caller's buffer may have other bytes by the time the request arrives.
    const sent = Buffer.from(bytes)
    return this.#request('put', key, () => this.#network.store.putIfAbsent(key, sent))
  }

  replace(key: string, bytes: Uint8Array, version: string): Promise<{ version: string } | 'conflict'> {
    const sent = Buffer.from(bytes)
    return this.#request('replace', key, () => this.#network.store.replace(key, sent, version))
  }

  get(key: string): Promise<StoredObject | undefined> {
    return this.#request('get', key, () => this.#network.store.get(key))
  }

  /** Pages in the order of keys. What appears or vanishes after the list began may be among it or not. */
  async *list(prefix: string): AsyncGenerator<{ key: string; sizeBytes: number }> {
    const { store, random } = this.#network
    let present: ReadonlyMap<string, number> | undefined
    let last = ''
    for (;;) {
      const page = await this.#request('list', prefix, () => {
        const current = store.list(prefix)
        present ??= current
        const shown = this.#shown(present, current, last)
        const length = 1 + random.below(LIST_PAGE_KEYS_MAX)
        return { keys: shown.slice(0, length), isLast: shown.length <= length }
      })
      for (const [key, sizeBytes] of page.keys) yield { key, sizeBytes }
      if (page.isLast) return
      last = page.keys.at(-1)?.[0] ?? last
    }
  }

  /** What was there from the beginning until now, and some of the rest. */
  #shown(
    present: ReadonlyMap<string, number>,
    current: ReadonlyMap<string, number>,
    after: string,
  ): [key: string, sizeBytes: number][] {
    const { random } = this.#network
    const keys = [...present.keys(), ...[...current.keys()].filter((key) => !present.has(key))]
    const rest = keys.filter((key) => key > after).toSorted()
    return rest
      .filter((key) => (present.has(key) && current.has(key)) || random.chance(0.5))
      .map((key) => [key, current.get(key) ?? present.get(key) ?? 0])
  }

  delete(key: string): Promise<void> {
    return this.#request('delete', key, () => this.#network.store.delete(key))
  }

  async deleteMany(keys: readonly string[]): Promise<{ locked: string[] }> {
    for (const key of keys) await this.delete(key)
    return { locked: [] }
  }

  async close(): Promise<void> {}

  async #request<T>(what: string, key: string, effect: () => T): Promise<T> {
    const { scheduler, random, trace } = this.#network
    await this.#process.step({ isSent: true })
    const fault = random.chance(this.#process.temper.faultProbability) ? random.pick(FAULTS) : undefined
    if (fault === 'request lost') throw this.#failure(what, key, fault)
    if (fault === 'delayed') {
      scheduler.later(effect)
      throw this.#failure(what, key, fault)
    }
    const result = effect()
    if (fault === 'answer lost') throw this.#failure(what, key, fault)
    trace.add(this.#process.name, what, key, result)
    // Whoever died after sending gets no answer.
    if (!this.#process.isAlive) await this.#process.step()
    return result
  }

  #failure(what: string, key: string, fault: Fault): DriverError {
    this.#network.trace.add(this.#process.name, what, key, fault)
    return new DriverError('transient', `Expected an answer, the ${fault}`)
  }
}
