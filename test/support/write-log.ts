/**
 * Numbered writes, one after another, round and round over the first slots of a disk. Because each begins when the one before has
 * ended, the disk looks at every moment as it does after so many whole writes, and a copy of it tells after how many.
 */
import { expect } from 'vitest'

export const SLOT_BYTES = 4096
export const SLOTS = 256

export function slotBytes(number: number): Buffer {
  const bytes = Buffer.alloc(SLOT_BYTES)
  for (let offset = 0; offset < SLOT_BYTES; offset += 8) bytes.writeBigUInt64LE(BigInt(number), offset)
  return bytes
}

/** The number of writes after which the disk looked like this. Fails where it never did. */
export function writesIn(disk: Buffer): number {
  const numbers = Array.from({ length: SLOTS }, (_, slot) => numberIn(disk, slot))
  const last = Math.max(...numbers)
  expect(numbers).toEqual(Array.from({ length: SLOTS }, (_, slot) => lastWriteOf(slot, last)))
  return last
}

/** Of the first `count` writes, the number of the last one to this slot; 0: none. */
function lastWriteOf(slot: number, count: number): number {
  const number = count - ((count - slot + SLOTS) % SLOTS)
  return Math.max(number, 0)
}

function numberIn(disk: Buffer, slot: number): number {
  const bytes = disk.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES)
  const number = Number(bytes.readBigUInt64LE())
  expect(bytes.equals(slotBytes(number)), `slot ${slot} is whole`).toBe(true)
  return number
}
