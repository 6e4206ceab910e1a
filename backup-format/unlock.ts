/** From what a process has to open key slots with, to the master key of a repository. */
import { DriverError } from '../domain/errors.ts'
import { type Description, isSealedWith, parseDescription } from './description.ts'
import { type KeySecret, openSlot } from './key-slot.ts'
import { listSlots, type StoredSlot, type Unlocked } from './key-slots.ts'
import { REPOSITORY_KEY } from './names.ts'
import { stateExists } from './state.ts'
import type { BackupTarget } from './target.ts'

export interface Keyring {
  /** Asked whenever a repository is opened for the first time: a key file may have been rotated meanwhile. The first one makes the slot of a new repository. */
  secrets(): Promise<readonly KeySecret[]>
  /** Master keys by repository: a passphrase costs half a second and 128 MiB. */
  readonly masterKeys: Map<string, Uint8Array>
}

export function createKeyring(secrets: Keyring['secrets']): Keyring {
  return { secrets, masterKeys: new Map() }
}

/** Undefined: there is no repository. No slot opens, or repo.json is not what was written: DriverError `invalid` or `corrupt`. */
export async function unlock(target: BackupTarget, keyring: Keyring): Promise<Unlocked | undefined> {
  const description = await readDescription(target)
  if (description === undefined) return undefined
  const { repoId } = description
  const masterKey =
    keyring.masterKeys.get(repoId) ?? (await openAnySlot(target, repoId, await keyring.secrets()))
  if (!isSealedWith(masterKey, description)) {
    throw new DriverError(
      'corrupt',
      'Expected repo.json to be sealed with the master key of its slots: it was altered',
    )
  }
  keyring.masterKeys.set(repoId, masterKey)
  return { target, description, masterKey }
}

/** Undefined: there is no repository. One that has lost its description is not taken for none. */
export async function readDescription(target: BackupTarget): Promise<Description | undefined> {
  const stored = await target.get(REPOSITORY_KEY)
  if (stored !== undefined) return parseDescription(stored.bytes)
  if (!(await stateExists({ target }))) return undefined
  // It may have been made between our two looks.
  const made = await target.get(REPOSITORY_KEY)
  if (made !== undefined) return parseDescription(made.bytes)
  throw new DriverError('corrupt', 'Expected the repository to have its repo.json, it is missing')
}

async function openAnySlot(
  target: BackupTarget,
  repoId: string,
  secrets: readonly KeySecret[],
): Promise<Uint8Array> {
  const slots = await listSlots(target, repoId)
  for (const secret of secrets) {
    const opened = await findOpening(slots, secret)
    if (opened !== undefined) return opened.masterKey
  }
  const kinds = slots.map(({ id, parsed }) => `${parsed?.slot.kind ?? 'damaged'} ${id}`)
  throw new DriverError(
    'invalid',
    `Expected the ${secrets.map(({ kind }) => kind).join(' or ') || 'key'} that is configured to open one of the repository's key slots, ` +
      `it opens none of ${kinds.length}${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}. ` +
      'Put the right key back, or open it with another: volflow target keys add --help',
  )
}

/** The first slot that the secret opens. */
export async function findOpening(
  slots: readonly StoredSlot[],
  secret: KeySecret,
): Promise<{ id: string; masterKey: Uint8Array } | undefined> {
  for (const { id, parsed } of slots) {
    const masterKey = parsed === undefined ? undefined : await openSlot(parsed.slot, secret)
    if (masterKey !== undefined) return { id, masterKey }
  }
  return undefined
}
