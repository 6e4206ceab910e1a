import type { BlobRef } from './names.ts'

const SLOT_WORDS = 4
const SLOTS_MIN = 1024

/**
 * A set of (id, epoch), some 32 bytes each and outside the JavaScript heap: an object per key would cost five times as much. It keeps
 * 96 bits of an id; taking a key for a member that is none is as good as impossible and harmless (it is kept, or uploaded again).
 */
export class KeySet {
  #words = new Uint32Array(SLOTS_MIN * SLOT_WORDS)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** True when it was not in the set before. */
  add(ref: BlobRef): boolean {
    if ((this.#size + 1) * 2 * SLOT_WORDS > this.#words.length) this.#grow()
    const key = words(ref)
    const slot = find(this.#words, key)
    if (this.#words[slot + 3] !== 0) return false
    this.#words.set(key, slot)
    this.#size += 1
    return true
  }

  has(ref: BlobRef): boolean {
    return this.#words[find(this.#words, words(ref)) + 3] !== 0
  }

  #grow(): void {
    const old = this.#words
    this.#words = new Uint32Array(old.length * 2)
    for (let slot = 0; slot < old.length; slot += SLOT_WORDS) {
      if (old[slot + 3] === 0) continue
      const key = old.subarray(slot, slot + SLOT_WORDS)
      this.#words.set(key, find(this.#words, key))
    }
  }
}

/** An epoch is never 0, so a zero last word is a free slot. */
function words({ id, epoch }: BlobRef): Uint32Array {
  const part = (from: number) => Number.parseInt(id.slice(from, from + 8), 16)
  return Uint32Array.of(part(0), part(8), part(16), epoch)
}

/** Where the key is, or the free slot where it belongs. Ids are uniformly distributed: their first word is the hash. */
function find(table: Uint32Array, key: Uint32Array): number {
  const mask = table.length / SLOT_WORDS - 1
  for (let slot = (key[0] ?? 0) & mask; ; slot = (slot + 1) & mask) {
    const at = slot * SLOT_WORDS
    if (table[at + 3] === 0) return at
    if (key.every((word, index) => table[at + index] === word)) return at
  }
}
