/** The key slots in a target, and how they come and go: nothing but slots is ever written. */
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import {
  encodeSlot,
  type KeySecret,
  type KeySlot,
  makeSlot,
  openSlot,
  type ParsedSlot,
  parseSlot,
} from './key-slot.ts'
import { sameBytes } from './keys.ts'
import { KEY_SLOTS_PREFIX } from './names.ts'
import type { BackupTarget } from './target.ts'
import type { Description } from './description.ts'

/** A repository whose master key is known. */
export interface Unlocked {
  readonly target: BackupTarget
  readonly description: Description
  readonly masterKey: Uint8Array
}

export interface StoredSlot {
  readonly id: string
  readonly version: string
  /** Undefined: what is stored there is no key slot of this repository. */
  readonly parsed: ParsedSlot | undefined
}

/** Oldest first. */
export async function listSlots(target: BackupTarget, repoId: string): Promise<StoredSlot[]> {
  const slots: StoredSlot[] = []
  let count = 0
  for await (const { key, sizeBytes } of target.list(KEY_SLOTS_PREFIX)) {
    count += 1
    if (count > LIMITS.keySlotsMax) {
      throw new DriverError('corrupt', `Expected at most ${LIMITS.keySlotsMax} key slots, there are more`)
    }
    const slot = await readSlot(target, repoId, { key, sizeBytes })
    if (slot !== undefined) slots.push(slot)
  }
  return slots.toSorted((a, b) => createdAt(a).localeCompare(createdAt(b)))
}

async function readSlot(
  target: BackupTarget,
  repoId: string,
  { key, sizeBytes }: { key: string; sizeBytes: number },
): Promise<StoredSlot | undefined> {
  const id = key.slice(KEY_SLOTS_PREFIX.length)
  if (sizeBytes > LIMITS.keySlotMaxBytes) return { id, version: '', parsed: undefined }
  const stored = await target.get(key)
  return stored && { id, version: stored.version, parsed: parseSlot({ repoId, id }, stored.bytes) }
}

/** Stores a slot, and proves from what the target has then that it opens. */
export async function addSlot(
  { target, description, masterKey }: Unlocked,
  secret: KeySecret,
  label = '',
): Promise<KeySlot> {
  const slot = await makeSlot(masterKey, description.repoId, secret, label)
  await target.putIfAbsent(slotKey(slot.id), encodeSlot(slot, masterKey))
  await proveSlot({ target, description, masterKey }, slot.id, secret)
  return slot
}

/** Reads the slot from the target and opens it. */
export async function proveSlot(
  { target, description, masterKey }: Unlocked,
  id: string,
  secret: KeySecret,
): Promise<void> {
  const stored = await target.get(slotKey(id))
  const parsed = stored && parseSlot({ repoId: description.repoId, id }, stored.bytes)
  const opened = parsed === undefined ? undefined : await openSlot(parsed.slot, secret)
  if (opened !== undefined && sameBytes(opened, masterKey) && parsed?.isAuthentic(masterKey) === true) return
  throw new DriverError('corrupt', `Expected key slot ${id} to open after it was written, it does not`)
}

/**
 * Removes a slot, if another one that is intact remains: DriverError `invalid` otherwise. Two who remove at the same time cannot remove
 * the last two: each first marks its slot, and gives way when it then sees nothing unmarked. Repeating it is harmless.
 */
export async function removeSlot(unlocked: Unlocked, id: string): Promise<void> {
  const { target, description, masterKey } = unlocked
  const found = (await listSlots(target, description.repoId)).find((slot) => slot.id === id)
  if (found === undefined) return
  await mark(unlocked, found, true)
  const others = await listSlots(target, description.repoId)
  const remains = others.some(
    (slot) =>
      slot.id !== id &&
      slot.parsed?.isAuthentic(masterKey) === true &&
      slot.parsed.slot.removing === undefined,
  )
  if (remains) {
    await target.delete(slotKey(id))
    return
  }
  const marked = others.find((slot) => slot.id === id)
  if (marked !== undefined) await mark(unlocked, marked, false)
  throw new DriverError(
    'invalid',
    `Expected another key slot to remain besides ${id}: without one nobody could ever read these backups`,
  )
}

export function slotKey(id: string): string {
  return `${KEY_SLOTS_PREFIX}${id}`
}

/** Not of a slot that was altered: it would then look as if it had not been. */
async function mark(
  { target, masterKey }: Unlocked,
  { id, version, parsed }: StoredSlot,
  isRemoving: boolean,
): Promise<void> {
  if (parsed?.isAuthentic(masterKey) !== true || (parsed.slot.removing === true) === isRemoving) return
  const { removing: _, ...kept } = parsed.slot
  const slot: KeySlot = isRemoving ? { ...kept, removing: true } : kept
  const result = await target.replace(slotKey(id), encodeSlot(slot, masterKey), version)
  if (result !== 'conflict') return
  throw new DriverError(
    'busy',
    `Expected to be the only one to change key slot ${id}, somebody else did. Try again.`,
  )
}

function createdAt({ parsed }: StoredSlot): string {
  return parsed?.slot.createdAt ?? ''
}
