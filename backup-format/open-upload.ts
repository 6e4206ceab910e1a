/**
 * The beginning of every attempt to upload. Afterwards the record is in the current epoch and this attempt's own, which is what makes
 * the collector wait for it, and nothing that is about to be deleted is relied on.
 */
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { pageRef, readUnlessDamaged } from './blob.ts'
import { readCondemned } from './condemned.ts'
import { entriesOf } from './entry.ts'
import { newJournalId, NO_TOTALS, readJournal, type UploadedParts, writeParts } from './journal.ts'
import type { KeySet } from './key-set.ts'
import type { BlobKind, BlobRef } from './names.ts'
import { isQuarantined, type Quarantined, readQuarantined } from './quarantine.ts'
import { type BackupRecord, createRecord, readRecord, replaceRecord, type StoredRecord } from './record.ts'
import { registerDomain, type Repository } from './repository.ts'
import { readState } from './state.ts'

export interface UploadIdentity {
  readonly domain: string
  readonly backupId: string
  readonly parentBackupId?: string
  readonly sizeBytes: number
  readonly volume: BackupRecord['volume']
  readonly writerToken: number
}

export interface OpenUpload {
  readonly record: StoredRecord
  /** What earlier attempts have finished. */
  readonly parts: UploadedParts
  /** Counts as absent, wherever it is found. */
  readonly condemned: KeySet
  /** Not relied on unread; whoever comes upon these bytes heals it. */
  readonly quarantined: Quarantined
}

/** Throws DriverError `busy` when a newer attempt has taken over, `invalid` when the backup is no longer open. */
export async function openUpload(repository: Repository, identity: UploadIdentity): Promise<OpenUpload> {
  await registerDomain(repository, identity.domain)
  const quarantined = await readQuarantined(repository, identity.domain)
  let { record, ours } = await findOrCreate(repository, identity)
  for (let attempt = 0; attempt < LIMITS.stateReadsMax; attempt += 1) {
    const { state, condemned } = await readCondemned(repository, identity.domain)
    const parts = await readJournal(repository, record.value)
    if (ours && state.epoch === record.value.epoch) {
      await dropQuarantined(repository, identity.domain, parts, quarantined)
      return { record, parts, condemned, quarantined }
    }
    // What is dropped here must stay dropped when the collection is over and its lists are gone: hence a new journal, named by the
    // same compare-and-swap that moves the record.
    await dropCondemned(repository, identity.domain, parts, condemned)
    record = await takeOver(repository, record, parts, {
      writerToken: identity.writerToken,
      epoch: state.epoch,
    })
    ours = true
  }
  throw new DriverError(
    'transient',
    'Expected the repository to stay in one epoch while opening, it does not',
  )
}

async function findOrCreate(
  repository: Repository,
  identity: UploadIdentity,
): Promise<{ record: StoredRecord; ours: boolean }> {
  const { domain, backupId } = identity
  const found = await readRecord(repository, domain, backupId)
  if (found !== undefined) return { record: checkOpen(found, identity), ours: false }
  const { epoch } = (await readState(repository)).value
  const created = newRecord(repository, identity, epoch)
  await createRecord(repository, created)
  const record = await readRecord(repository, domain, backupId)
  if (record === undefined)
    throw new DriverError('busy', `Expected backup ${backupId} to stay open, it was removed`)
  return { record: checkOpen(record, identity), ours: record.value.journal === created.journal }
}

function newRecord(repository: Repository, identity: UploadIdentity, epoch: number): BackupRecord {
  return {
    version: 1,
    backupId: identity.backupId,
    domain: identity.domain,
    state: 'open',
    writerToken: identity.writerToken,
    journal: newJournalId(),
    epoch,
    openedEpoch: epoch,
    sizeBytes: identity.sizeBytes,
    chunkBytes: repository.chunkBytes,
    parentBackupId: identity.parentBackupId ?? null,
    volume: identity.volume,
    createdAt: new Date().toISOString(),
    committedAt: null,
    pages: null,
    totals: NO_TOTALS,
  }
}

function checkOpen(stored: StoredRecord, { backupId, sizeBytes, writerToken }: UploadIdentity): StoredRecord {
  const record = stored.value
  if (record.state !== 'open') {
    throw new DriverError('invalid', `Expected backup ${backupId} to be open, it is ${record.state}`)
  }
  if (record.sizeBytes !== sizeBytes) {
    throw new DriverError(
      'invalid',
      `Expected to continue backup ${backupId} of ${record.sizeBytes} bytes, got ${sizeBytes} bytes`,
    )
  }
  if (record.writerToken > writerToken) throw overtaken(backupId)
  return stored
}

async function takeOver(
  repository: Repository,
  { value, version }: StoredRecord,
  parts: UploadedParts,
  change: { writerToken: number; epoch: number },
): Promise<StoredRecord> {
  const record = { ...value, ...change, journal: newJournalId(), pages: null }
  await writeParts(repository, record, parts)
  const taken = await replaceRecord(repository, record, version)
  if (taken === undefined) throw overtaken(value.backupId)
  return taken
}

export function overtaken(backupId: string): DriverError {
  return new DriverError(
    'busy',
    `Expected to be the only writer of backup ${backupId}, another attempt took over`,
  )
}

async function dropCondemned(
  repository: Repository,
  domain: string,
  parts: UploadedParts,
  condemned: KeySet,
): Promise<void> {
  if (condemned.size > 0) await drop(repository, domain, parts, (_, ref) => condemned.has(ref))
}

/** What was stored by an earlier attempt and found damaged since is read, and so healed, by this one. */
async function dropQuarantined(
  repository: Repository,
  domain: string,
  parts: UploadedParts,
  quarantined: Quarantined,
): Promise<void> {
  if (quarantined.chunk.size + quarantined.page.size === 0) return
  await drop(repository, domain, parts, (kind, ref) => isQuarantined(quarantined, kind, ref))
}

/** Forgets what must not be relied on, and pages that refer to it; the rest of such a page is kept chunk by chunk. */
async function drop(
  repository: Repository,
  domainName: string,
  parts: UploadedParts,
  isGone: (kind: BlobKind, ref: BlobRef) => boolean,
): Promise<void> {
  const domain = await repository.domain(domainName)
  for (const [chunk, entry] of parts.chunks) {
    if (entry !== undefined && isGone('chunk', entry)) parts.chunks.delete(chunk)
  }
  let dataChunks = 0
  for (const [page, name] of parts.pages) {
    if (name === null) continue
    const bytes = await readUnlessDamaged(repository, domain, name)
    const entries = bytes === 'damaged' ? [] : [...entriesOf(bytes)]
    const gone = entries.map((entry) => entry !== undefined && isGone('chunk', entry))
    if (bytes !== 'damaged' && !gone.includes(true) && !isGone('page', pageRef(domain, name))) {
      dataChunks += entries.filter((entry) => entry !== undefined).length
      continue
    }
    parts.pages.delete(page)
    entries.forEach((entry, slot) => {
      if (gone[slot] !== true) parts.chunks.set(page * repository.pageEntries + slot, entry)
    })
  }
  parts.totals = { ...parts.totals, dataChunks }
}
