/** What can happen to the bytes of an object at rest. */
import type { World } from './world.ts'

export type Damage = 'flip' | 'truncate' | 'delete' | 'swap' | 'duplicate' | 'replay' | 'append'

/** One kind of object: the one that is damaged, another one like it, and where a copy or an older one would lie. */
export interface Victim {
  readonly key: string
  readonly other?: string
  readonly copyTo?: string
  /** Where an earlier one was, or what was there before. */
  readonly replayed?: string
}

type Objects = Map<string, Buffer>

/** Several ways each; all of them must be found, or be harmless, in the same way. Empty: not possible with this kind of object. */
export const DAMAGES: Record<Damage, (victim: Victim, world: World) => ((objects: Objects) => void)[]> = {
  flip: ({ key }, { objects }) => {
    const bytes = objects.get(key) ?? Buffer.alloc(0)
    const bits = [0, 33, 50, 8 * 20, 8 * 40 + 1, bytes.length * 4 + 2, bytes.length * 8 - 1]
    return [...new Set(bits)].map((bit) => (changed) => {
      const wrong = Buffer.from(bytes)
      wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      changed.set(key, wrong)
    })
  },
  truncate: ({ key }, { objects }) => {
    const bytes = objects.get(key) ?? Buffer.alloc(0)
    return [0, bytes.length >> 1, bytes.length - 1].map(
      (length) => (changed) => changed.set(key, bytes.subarray(0, length)),
    )
  },
  delete: ({ key }) => [(changed) => changed.delete(key)],
  swap: ({ key, other }, { objects, elsewhere }) => {
    const [mine, theirs] = [objects.get(key), objects.get(other ?? '') ?? elsewhere.get(key)]
    if (mine === undefined || theirs === undefined) return []
    return [
      (changed) => {
        changed.set(key, theirs)
        if (other !== undefined) changed.set(other, mine)
      },
    ]
  },
  duplicate: ({ key, copyTo }, { objects }) =>
    copyTo === undefined ? [] : [(changed) => changed.set(copyTo, objects.get(key) ?? Buffer.alloc(0))],
  replay: ({ replayed = '' }, { earlier }) => {
    const bytes = earlier.get(replayed)
    return bytes === undefined ? [] : [(changed) => changed.set(replayed, bytes)]
  },
  append: ({ key }, { objects }) =>
    [Buffer.alloc(1), Buffer.from('\n'), objects.get(key) ?? Buffer.alloc(0)].map(
      (more) => (changed) => changed.set(key, Buffer.concat([objects.get(key) ?? Buffer.alloc(0), more])),
    ),
}
