import { randomUUID } from 'node:crypto'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { describe, encodeDescription } from './description.ts'
import { readDomainRoot, registerRoot } from './domain-root.ts'
import { createSealer, type Sealer } from './envelope.ts'
import { type KeySlot, openSlot } from './key-slot.ts'
import { addSlot, slotKey, type Unlocked } from './key-slots.ts'
import { domainKeys, newKey, repositoryKeys, type SealingKeys } from './keys.ts'
import { checkName, DOMAINS_PREFIX, REPOSITORY_KEY } from './names.ts'
import { createState, type Epochs, stateExists } from './state.ts'
import type { BackupTarget } from './target.ts'
import { type Keyring, unlock } from './unlock.ts'

export interface Repository {
  readonly target: BackupTarget
  readonly repoId: string
  readonly chunkBytes: number
  readonly pageEntries: number
  /** For what belongs to no domain. */
  readonly sealer: Sealer
  readonly epochs: Epochs
  /** A domain is a project: it shares chunks with no other. One that was never registered, or whose key is lost: DriverError `corrupt`. */
  domain(name: string): Promise<Domain>
}

export interface Domain {
  readonly name: string
  readonly keys: SealingKeys
  readonly sealer: Sealer
}

/** Fixed when the repository is created. Only tests want other values than the defaults. */
export interface RepositoryShape {
  readonly chunkBytes?: number
  readonly pageEntries?: number
}

/**
 * Opens the repository in this target; an empty target becomes one, with a key slot for the first secret of the keyring. No slot that
 * opens: DriverError `invalid`. The caller keeps the target and closes it.
 */
export async function createOrOpenRepository(
  target: BackupTarget,
  keyring: Keyring,
  shape: RepositoryShape = {},
): Promise<Repository> {
  const opened = await openRepository(target, keyring)
  if (opened !== undefined) return opened
  await create(target, keyring, shape)
  const created = await openRepository(target, keyring)
  if (created !== undefined) return created
  throw new DriverError(
    'transient',
    'Expected the target to show repo.json after it was written, it does not',
  )
}

/** Undefined: there is none. */
export async function openRepository(
  target: BackupTarget,
  keyring: Keyring,
): Promise<Repository | undefined> {
  const unlocked = await unlock(target, keyring)
  if (unlocked === undefined) return undefined
  const repository = openWith(unlocked)
  // A creation that was interrupted has no state yet, and no domain either. Where there are backups, somebody deleted it: they can be
  // restored, and whatever needs the state says that it is missing.
  if (!(await stateExists(repository)) && (await listDomains(repository)).length === 0)
    await createState(repository)
  return repository
}

/** Makes the domain known to the collector, and its key. Repeating it is harmless. */
export async function registerDomain(repository: Repository, domain: string): Promise<void> {
  await registerRoot(repository, domain)
}

export async function listDomains(repository: Repository): Promise<string[]> {
  const domains: string[] = []
  for await (const { key } of repository.target.list(DOMAINS_PREFIX)) {
    domains.push(key.slice(DOMAINS_PREFIX.length))
  }
  return domains.toSorted()
}

/** The slot comes first: a repository that nobody can open must not be there for a moment. */
async function create(target: BackupTarget, keyring: Keyring, shape: RepositoryShape): Promise<void> {
  const [secret] = await keyring.secrets()
  if (secret === undefined)
    throw new DriverError('invalid', 'Expected a backup key to be configured, there is none')
  const masterKey = newKey()
  const description = describe(masterKey, {
    repoId: randomUUID(),
    chunkBytes: shape.chunkBytes ?? LIMITS.chunkBytes,
    pageEntries: shape.pageEntries ?? LIMITS.indexPageEntries,
  })
  const slot = await addSlot({ target, description, masterKey }, secret)
  const result = await target.putIfAbsent(REPOSITORY_KEY, encodeDescription(description))
  // Somebody else was faster: ours is no repository's slot.
  if (result === 'exists') await target.delete(slotKey(slot.id))
  else await keepUp({ target, description, masterKey }, slot, keyring)
}

/** A rotation of the key file that has just looked at this target saw no repository: it is then for us to add the new key. */
async function keepUp(unlocked: Unlocked, slot: KeySlot, keyring: Keyring): Promise<void> {
  const [secret] = await keyring.secrets()
  if (secret !== undefined && (await openSlot(slot, secret)) === undefined) await addSlot(unlocked, secret)
}

function openWith({ target, description, masterKey }: Unlocked): Repository {
  const { repoId, chunkBytes, pageEntries } = description
  const sealer = createSealer(repositoryKeys(masterKey, description))
  const domains = new Map<string, Promise<Domain>>()
  const open = async (name: string): Promise<Domain> => {
    const keys = domainKeys(await readDomainRoot({ target, sealer }, name), description)
    return { name, keys, sealer: createSealer(keys) }
  }
  const domain = async (name: string): Promise<Domain> => {
    checkName('domain', name)
    const known = domains.get(name) ?? open(name)
    domains.set(name, known)
    try {
      return await known
    } catch (error) {
      domains.delete(name)
      throw error
    }
  }
  return { target, repoId, chunkBytes, pageEntries, sealer, epochs: { newest: 0 }, domain }
}
