/** Where every object of a repository lies. Everything that becomes part of a key is checked here. */
import { DriverError } from '../domain/errors.ts'

/** One path segment: lower case, no dot, so that no name can leave its folder or be taken for another object's. */
const NAME = /^[a-z0-9_][a-z0-9_-]{0,127}$/

export const REPOSITORY_KEY = 'repo.json'
export const STATE_KEY = 'state'
export const KEY_SLOTS_PREFIX = 'keys/'
export const DOMAINS_PREFIX = 'domains/'
export const COLLECTION_PREFIX = 'gc/'

export type BlobKind = 'chunk' | 'page'

const FOLDERS: Record<BlobKind, string> = { chunk: 'c', page: 's' }

/** A content-addressed object: the id is the same for the same bytes, the epoch is the one in which it was uploaded. */
export interface BlobRef {
  /** 32 bytes as 64 lower-case hex digits. */
  readonly id: string
  readonly epoch: number
}

export function checkName(what: string, name: string): void {
  if (NAME.test(name)) return
  throw new DriverError(
    'invalid',
    `Expected the ${what} to be 1 to 128 characters of a-z, 0-9, - and _, got ${JSON.stringify(name.slice(0, 80))}`,
  )
}

export function domainKey(domain: string): string {
  checkName('domain', domain)
  return `${DOMAINS_PREFIX}${domain}`
}

/** The second copy of what is under `domainKey`. */
export function domainCopyKey(domain: string): string {
  return `${domainPrefix(domain)}key`
}

export function recordKey(domain: string, backupId: string): string {
  checkName('backup id', backupId)
  return `${recordsPrefix(domain)}${backupId}`
}

export function recordsPrefix(domain: string): string {
  return `${domainPrefix(domain)}r/`
}

export function journalKey(domain: string, backupId: string, journal: string, page: number): string {
  return `${journalPrefix(domain, backupId)}${journal}-${page}`
}

export function journalPrefix(domain: string, backupId: string): string {
  checkName('backup id', backupId)
  return `${journalsPrefix(domain)}${backupId}/`
}

export function journalsPrefix(domain: string): string {
  return `${domainPrefix(domain)}j/`
}

export function blobsPrefix(kind: BlobKind, domain: string): string {
  return `${domainPrefix(domain)}${FOLDERS[kind]}/`
}

export function blobKey(kind: BlobKind, domain: string, ref: BlobRef): string {
  const name = blobName(ref)
  return `${blobsPrefix(kind, domain)}${name.slice(0, 2)}/${name}`
}

export function quarantinePrefix(domain: string): string {
  return `${domainPrefix(domain)}q/`
}

/** Says that the object with this ref is damaged or missing. */
export function quarantineKey(kind: BlobKind, domain: string, ref: BlobRef): string {
  return `${quarantinePrefix(domain)}${FOLDERS[kind]}-${blobName(ref)}`
}

/** The inverse of `quarantineKey`; undefined for a key that nobody writes. */
export function parseQuarantineKey(domain: string, key: string): (BlobRef & { kind: BlobKind }) | undefined {
  const [, folder, name] = /^([cs])-(.+)$/.exec(key.slice(quarantinePrefix(domain).length)) ?? []
  const ref = name === undefined ? undefined : parseBlobName(name)
  return ref === undefined ? undefined : { ...ref, kind: folder === FOLDERS.chunk ? 'chunk' : 'page' }
}

export function blobName(ref: BlobRef): string {
  return `${ref.id}.${ref.epoch}`
}

/** The inverse of `blobName`; undefined for a name that no writer produces. */
export function parseBlobName(name: string): BlobRef | undefined {
  const match = /^([0-9a-f]{64})\.([1-9][0-9]{0,9})$/.exec(name)
  if (match?.[1] === undefined) return undefined
  return { id: match[1], epoch: Number(match[2]) }
}

export function condemnedListKey(epoch: number, run: string, list: number): string {
  return `${COLLECTION_PREFIX}${epoch}/${run}-${list}`
}

function domainPrefix(domain: string): string {
  checkName('domain', domain)
  return `d/${domain}/`
}
