/**
 * A chain resolved to one final map: of each byte, which object has it. Restoring by layers, as Cinder does, writes bytes that a later
 * layer replaces; and where the later ones are zeroes and the writer skips zeroes (Cinder 22 and newer, into a new volume), the
 * earlier bytes stay.
 */
import type { ChunkObject } from './metadata.ts'
import type { BackupLocation } from '../../domain/cinder-names.ts'

/** An object, and whose it is. */
export interface PlacedObject extends ChunkObject {
  readonly location: BackupLocation
}

/** What the volume needs of one object. */
export interface MapPart {
  readonly object: PlacedObject
  /** [from, to) in the volume, in order, within the object's range. */
  readonly ranges: readonly (readonly [from: number, to: number])[]
}

/**
 * `objects` in the order in which Cinder would write them, oldest first; only what lies below `sizeBytes` counts. Parts come in the
 * order of their objects' offsets.
 */
export function resolveMap(objects: readonly PlacedObject[], sizeBytes: number): MapPart[] {
  const bounds = boundaries(objects, sizeBytes)
  // Between two boundaries nothing begins or ends: such a cell belongs to one object as a whole.
  const owners = new Int32Array(bounds.length).fill(-1)
  const free = new FreeCells(bounds.length)
  for (let index = objects.length - 1; index >= 0; index -= 1) {
    const object = objects[index]
    if (object === undefined) continue
    const end = indexOf(bounds, Math.min(object.offset + object.length, sizeBytes))
    if (object.offset >= sizeBytes) continue
    for (let cell = free.from(indexOf(bounds, object.offset)); cell < end; cell = free.from(cell)) {
      owners[cell] = index
      free.take(cell)
    }
  }
  return toParts(objects, bounds, owners)
}

/** Ranges below `sizeBytes` that no part has. */
export function findGaps(parts: readonly MapPart[], sizeBytes: number): (readonly [number, number])[] {
  const ranges = parts.flatMap((part) => part.ranges).toSorted(([a], [b]) => a - b)
  const gaps: (readonly [number, number])[] = []
  let at = 0
  for (const [from, to] of [...ranges, [sizeBytes, sizeBytes] as const]) {
    if (from > at) gaps.push([at, from])
    at = Math.max(at, to)
  }
  return gaps
}

function boundaries(objects: readonly PlacedObject[], sizeBytes: number): Float64Array {
  const all = new Float64Array(objects.length * 2 + 1)
  objects.forEach(({ offset, length }, index) => {
    all[index * 2] = Math.min(offset, sizeBytes)
    all[index * 2 + 1] = Math.min(offset + length, sizeBytes)
  })
  all[objects.length * 2] = sizeBytes
  all.sort()
  return all.filter((value, index) => index === 0 || value !== all[index - 1])
}

function indexOf(bounds: Float64Array, value: number): number {
  let low = 0
  let high = bounds.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((bounds[middle] ?? Infinity) < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Cells that nobody has taken yet; each question and each taking costs next to nothing, however many there are. */
class FreeCells {
  /** Of each cell, a cell at or behind it that may be free. */
  readonly #next: Int32Array

  constructor(cells: number) {
    this.#next = Int32Array.from({ length: cells + 1 }, (_, cell) => cell)
  }

  from(cell: number): number {
    let found = cell
    while (this.#at(found) !== found) found = this.#at(found)
    // Shortens the way for the next one.
    for (let at = cell; at !== found;) {
      const next = this.#at(at)
      this.#next[at] = found
      at = next
    }
    return found
  }

  take(cell: number): void {
    this.#next[cell] = cell + 1
  }

  #at(cell: number): number {
    return this.#next[cell] ?? cell
  }
}

function toParts(objects: readonly PlacedObject[], bounds: Float64Array, owners: Int32Array): MapPart[] {
  const ranges = new Map<number, [number, number][]>()
  owners.forEach((owner, cell) => {
    const [from, to] = [bounds[cell], bounds[cell + 1]]
    if (owner < 0 || from === undefined || to === undefined) return
    const list = ranges.get(owner) ?? []
    const last = list.at(-1)
    if (last?.[1] === from) last[1] = to
    else list.push([from, to])
    ranges.set(owner, list)
  })
  return [...ranges]
    .flatMap(([owner, list]) => {
      const object = objects[owner]
      return object === undefined ? [] : [{ object, ranges: list }]
    })
    .toSorted((a, b) => a.object.offset - b.object.offset)
}
