import type { KeySecret } from '../../backup-format/key-slot.ts'
import { listSlots, type StoredSlot } from '../../backup-format/key-slots.ts'
import { findOpening, readDescription } from '../../backup-format/unlock.ts'
import type { BackupTarget } from '../../backup-format/target.ts'

export interface ListedSlot {
  readonly id: string
  /** Null: what is stored there is no key slot. */
  readonly kind: string | null
  readonly label: string | null
  readonly createdAt: string | null
  /** `unknown`: nothing opened, so nothing tells whether it was altered. */
  readonly state: 'intact' | 'removing' | 'damaged' | 'unknown'
  /** Does it open with one of the secrets? */
  readonly opens: boolean
}

/** Undefined: there is no repository. Where nothing opens, one sees at least what would. */
export async function listKeys(
  target: BackupTarget,
  secrets: readonly KeySecret[],
): Promise<ListedSlot[] | undefined> {
  const description = await readDescription(target)
  if (description === undefined) return undefined
  const slots = await listSlots(target, description.repoId)
  const opened = new Map<string, Uint8Array>()
  for (const slot of slots) {
    for (const secret of secrets) {
      const found = opened.has(slot.id) ? undefined : await findOpening([slot], secret)
      if (found !== undefined) opened.set(slot.id, found.masterKey)
    }
  }
  const [masterKey] = opened.values()
  return slots.map((slot) => {
    const { kind = null, label = null, createdAt = null } = slot.parsed?.slot ?? {}
    return {
      id: slot.id,
      kind,
      label,
      createdAt,
      state: stateOf(slot, masterKey),
      opens: opened.has(slot.id),
    }
  })
}

function stateOf({ parsed }: StoredSlot, masterKey: Uint8Array | undefined): ListedSlot['state'] {
  if (parsed === undefined) return 'damaged'
  if (masterKey === undefined) return 'unknown'
  if (!parsed.isAuthentic(masterKey)) return 'damaged'
  return parsed.slot.removing === true ? 'removing' : 'intact'
}
