/**
 * What a backup's index says about one chunk: 40 bytes, namely the id (32), the epoch (u32, little endian) and the length of the stored
 * object as its writer saw it (u32, little endian, informative). A chunk of zeroes has no object; its entry is 40 zero bytes.
 */
import type { BlobRef } from './names.ts'

export const ENTRY_BYTES = 40

export interface Entry extends BlobRef {
  readonly objectBytes: number
}

/** Undefined: the chunk is all zeroes. */
export function readEntry(page: Buffer, slot: number): Entry | undefined {
  const start = slot * ENTRY_BYTES
  const epoch = page.readUInt32LE(start + 32)
  if (epoch === 0) return undefined
  const id = page.toString('hex', start, start + 32)
  return { id, epoch, objectBytes: page.readUInt32LE(start + 36) }
}

export function writeEntry(page: Buffer, slot: number, entry: Entry | undefined): void {
  const start = slot * ENTRY_BYTES
  if (entry === undefined) {
    page.fill(0, start, start + ENTRY_BYTES)
    return
  }
  page.write(entry.id, start, 'hex')
  page.writeUInt32LE(entry.epoch, start + 32)
  page.writeUInt32LE(entry.objectBytes, start + 36)
}

export function* entriesOf(page: Buffer): Generator<Entry | undefined> {
  for (let slot = 0; slot < page.byteLength / ENTRY_BYTES; slot += 1) yield readEntry(page, slot)
}

export function encodeEntry(entry: Entry | undefined): string {
  if (entry === undefined) return ''
  const bytes = Buffer.alloc(ENTRY_BYTES)
  writeEntry(bytes, 0, entry)
  return bytes.toString('base64')
}

export function decodeEntry(text: string): Entry | undefined {
  return text === '' ? undefined : readEntry(Buffer.from(text, 'base64'), 0)
}
