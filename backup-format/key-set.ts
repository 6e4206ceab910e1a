import type { BlobRef } from './names.ts'

const SLOT_WORDS = 4
const SLOTS_MIN = 64

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
    return this.addWords(wordOf(ref.id, 0), wordOf(ref.id, 8), wordOf(ref.id, 16), ref.epoch)
  }

  has(ref: BlobRef): boolean {
    return this.hasWords(wordOf(ref.id, 0), wordOf(ref.id, 8), wordOf(ref.id, 16), ref.epoch)
  }

  /** The same with the first 12 bytes of the id as big-endian numbers. */
  addWords(first: number, second: number, third: number, epoch: number): boolean {
    if ((this.#size + 1) * 2 * SLOT_WORDS > this.#words.length) this.#grow()
    const slot = find(this.#words, first, second, third, epoch)
    if (this.#words[slot + 3] !== 0) return false
    put(this.#words, slot, first, second, third, epoch)
    this.#size += 1
    return true
  }

  hasWords(first: number, second: number, third: number, epoch: number): boolean {
    return this.#words[find(this.#words, first, second, third, epoch) + 3] !== 0
  }

  #grow(): void {
    const old = this.#words
    this.#words = new Uint32Array(old.length * 2)
    for (let slot = 0; slot < old.length; slot += SLOT_WORDS) {
      const [first = 0, second = 0, third = 0, epoch = 0] = old.subarray(slot, slot + SLOT_WORDS)
      if (epoch === 0) continue
      put(this.#words, find(this.#words, first, second, third, epoch), first, second, third, epoch)
    }
  }
}

function wordOf(id: string, from: number): number {
  return Number.parseInt(id.slice(from, from + 8), 16)
}

function put(
  table: Uint32Array,
  slot: number,
  first: number,
  second: number,
  third: number,
  epoch: number,
): void {
  table[slot] = first
  table[slot + 1] = second
  table[slot + 2] = third
  table[slot + 3] = epoch
}

/**
 * Where the key is, or the free slot where it belongs: one with epoch 0, which no key has. Ids are uniformly distributed: their second
 * word is the hash. (The first is nearly the same for all keys of a shard.)
 */
function find(table: Uint32Array, first: number, second: number, third: number, epoch: number): number {
  const mask = table.length / SLOT_WORDS - 1
  for (let slot = second & mask; ; slot = (slot + 1) & mask) {
    const at = slot * SLOT_WORDS
    const found = table[at + 3]
    if (found === 0) return at
    if (found === epoch && table[at] === first && table[at + 1] === second && table[at + 2] === third)
      return at
  }
}
