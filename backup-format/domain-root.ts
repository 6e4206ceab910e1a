/**
 * The root key of a domain: random, sealed with the repository's keys, and stored in the domain's own objects. It is what makes a
 * project's backups unreadable when it is deleted, and only theirs. As all of a project's backups need it, it is there twice.
 */
import { DriverError } from '../domain/errors.ts'
import type { Sealer } from './envelope.ts'
import { KEY_BYTES, newKey, sameBytes } from './keys.ts'
import { domainCopyKey, domainKey, recordsPrefix } from './names.ts'
import type { BackupTarget } from './target.ts'

interface Sealed {
  readonly target: BackupTarget
  readonly sealer: Sealer
}

/** Missing or damaged in both places: DriverError `corrupt`. */
export async function readDomainRoot(repository: Sealed, domain: string): Promise<Uint8Array> {
  try {
    return await readRoot(repository, domain, domainKey(domain))
  } catch (error) {
    if (!(error instanceof DriverError) || error.kind !== 'corrupt') throw error
    const copy = await readRoot(repository, domain, domainCopyKey(domain)).catch(() => undefined)
    if (copy === undefined) throw error
    return copy
  }
}

/** Makes the domain known, with a new root key if it has none, and sees to it that the key is there twice. May be repeated. */
export async function registerRoot(repository: Sealed, domain: string): Promise<void> {
  const { target, sealer } = repository
  const isKnown = await exists(target, domainKey(domain))
  const hasCopy = await exists(target, domainCopyKey(domain))
  if (isKnown && hasCopy) return
  if (!isKnown && !hasCopy) {
    await expectNoRecords(target, domain)
    await target.putIfAbsent(domainKey(domain), sealRoot(sealer, domain, domainKey(domain), newKey()))
  }
  // Of several who make it, one was first: its root is everybody's.
  const root = await readDomainRoot(repository, domain)
  for (const key of [domainKey(domain), domainCopyKey(domain)]) {
    await target.putIfAbsent(key, sealRoot(sealer, domain, key, root))
  }
}

/** Keys of the copies that are missing, damaged, or not the same as the one that is used. */
export async function damagedRoots(repository: Sealed, domain: string): Promise<string[]> {
  const root = await readDomainRoot(repository, domain).catch(() => undefined)
  const damaged: string[] = []
  for (const key of [domainKey(domain), domainCopyKey(domain)]) {
    const copy = await readRoot(repository, domain, key).catch((error: unknown) => {
      if (error instanceof DriverError && error.kind === 'corrupt') return undefined
      throw error
    })
    if (copy === undefined || root === undefined || !sameBytes(copy, root)) damaged.push(key)
  }
  return damaged
}

/** Writes the damaged copy anew from the other one; both damaged: DriverError `corrupt`. */
export async function repairRoot(repository: Sealed, domain: string): Promise<void> {
  await readDomainRoot(repository, domain)
  for (const key of await damagedRoots(repository, domain)) await repository.target.delete(key)
  await registerRoot(repository, domain)
}

async function readRoot({ target, sealer }: Sealed, domain: string, key: string): Promise<Uint8Array> {
  const stored = await target.get(key)
  if (stored === undefined) {
    throw new DriverError('corrupt', `Expected the key of project ${domain} at ${key}, it is missing`)
  }
  const plain: { rootKey: string } = JSON.parse(sealer.open('domain key', key, stored.bytes).toString('utf8'))
  const root = Buffer.from(plain.rootKey, 'hex')
  if (root.length !== KEY_BYTES)
    throw new DriverError('corrupt', `Expected a key of ${KEY_BYTES} bytes in ${key}`)
  return new Uint8Array(root)
}

function sealRoot(sealer: Sealer, domain: string, key: string, root: Uint8Array): Buffer {
  const plain = { version: 1, domain, rootKey: Buffer.from(root).toString('hex') }
  return sealer.seal(key, Buffer.from(JSON.stringify(plain)))
}

/** With a new key, what is there could never be read again. */
async function expectNoRecords(target: BackupTarget, domain: string): Promise<void> {
  for await (const { key } of target.list(recordsPrefix(domain))) {
    // Whoever made the domain a moment ago may have begun a backup.
    if (await exists(target, domainKey(domain))) return
    throw new DriverError(
      'corrupt',
      `Expected the key of project ${domain} at ${domainKey(domain)}, it is missing, and there is ${key}`,
    )
  }
}

async function exists(target: BackupTarget, key: string): Promise<boolean> {
  return (await target.get(key)) !== undefined
}
