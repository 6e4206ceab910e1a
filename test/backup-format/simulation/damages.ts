/** Objects that are lost or altered behind everybody's back, each at most once in a course of events. */
import type { Store } from './store.ts'

export type HowDamaged = 'lost' | 'name altered' | 'content altered'

export class Damages {
  readonly #store: Store
  /** What is damaged -> what it was before. */
  readonly #before = new Map<string, Buffer>()
  /** Whatever was ever damaged -> since when. */
  readonly #since = new Map<string, number>()

  constructor(store: Store) {
    this.#store = store
  }

  /** Bits that nobody looks at are spared: the object is certainly damaged. */
  strike(key: string, how: HowDamaged, now: number): boolean {
    const before = this.#store.get(key)?.bytes
    if (before === undefined || this.#since.has(key)) return false
    this.#before.set(key, before)
    this.#since.set(key, now)
    const altered = Buffer.from(before)
    const at = how === 'name altered' ? 0 : altered.length - 1
    altered.writeUInt8(altered.readUInt8(at) ^ 1, at)
    this.#store.tamper(key, how === 'lost' ? undefined : altered)
    return true
  }

  get any(): boolean {
    return this.#since.size > 0
  }

  /** Now, and already then. */
  has(key: string, then = Infinity): boolean {
    return this.#before.has(key) && (this.#since.get(key) ?? Infinity) <= then
  }

  wasEver(key: string): boolean {
    return this.#since.has(key)
  }

  /** The object as it should be. */
  sound(key: string): Buffer | undefined {
    return this.#before.get(key) ?? this.#store.get(key)?.bytes
  }

  /** It was stored anew, or deleted because nobody needs it. */
  isOver(key: string): boolean {
    return this.#before.delete(key)
  }

  /** Is this error about an object that was damaged? */
  explain(message: string): boolean {
    return [...this.#since.keys()].some((key) => message.includes(key))
  }
}
