/** The description of one backup and its states: open -> committed | aborted, committed -> deleting. */
import pMap from 'p-map'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { checkName, recordKey, recordsPrefix } from './names.ts'
import { keepFailing } from './keep-failing.ts'
import type { Repository } from './repository.ts'
import type { Versioned } from './state.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export interface BackupTotals {
  /** Chunks with data, whoever uploaded them. */
  readonly dataChunks: number
  /** Of these, uploaded for this backup, and the bytes of their objects. */
  readonly newChunks: number
  readonly newObjectBytes: number
}

export interface BackupRecord {
  readonly version: 1
  readonly backupId: string
  readonly domain: string
  readonly state: 'open' | 'committed' | 'aborted' | 'deleting'
  /** Of the attempt that writes: an attempt with a lower one is too late. */
  readonly writerToken: number
  /** Whose pages count; a new one for every attempt. */
  readonly journal: string
  /** In which this attempt uploads. */
  readonly epoch: number
  /** In which the first attempt began. */
  readonly openedEpoch: number
  readonly sizeBytes: number
  readonly chunkBytes: number
  /** For information: a backup never needs its parent. */
  readonly parentBackupId: string | null
  /** Whatever the caller wants to know about the volume. */
  readonly volume: { readonly [key: string]: Json }
  readonly createdAt: string
  readonly committedAt: string | null
  /** `<id>.<epoch>` of each index page, null for a page of zeroes; null until everything is uploaded. */
  readonly pages: readonly (string | null)[] | null
  readonly totals: BackupTotals
}

export type StoredRecord = Versioned<BackupRecord>

/** Undefined: there is no such backup. */
export async function readRecord(
  repository: Repository,
  domain: string,
  backupId: string,
): Promise<StoredRecord | undefined> {
  const key = recordKey(domain, backupId)
  const stored = await repository.target.get(key)
  if (stored === undefined) return undefined
  const { sealer } = await repository.domain(domain)
  const plain = sealer.open('record', key, stored.bytes)
  const record: BackupRecord = JSON.parse(plain.toString('utf8'))
  repository.epochs.newest = Math.max(repository.epochs.newest, record.epoch)
  return { value: record, version: stored.version }
}

/** The record of a committed backup; anything else is `notFound`, or `busy` while it is being written. */
export async function readCommitted(
  repository: Repository,
  domain: string,
  backupId: string,
): Promise<BackupRecord & { pages: readonly (string | null)[] }> {
  const record = (await readRecord(repository, domain, backupId))?.value
  if (record?.state === 'committed' && record.pages !== null) return { ...record, pages: record.pages }
  throw new DriverError(
    record?.state === 'open' ? 'busy' : 'notFound',
    `Expected a complete backup ${backupId}, ${record === undefined ? 'there is none' : `it is ${record.state}`}`,
  )
}

/** All records of a domain, in any state. */
export async function listBackups(repository: Repository, domain: string): Promise<BackupRecord[]> {
  const records: BackupRecord[] = []
  await eachRecord(repository, domain, async ({ value }) => void records.push(value))
  return records
}

/** Shows all records of a domain, in any state and order, a few at a time: of a volume of many TiB one takes a MiB. */
export async function eachRecord(
  repository: Repository,
  domain: string,
  look: (stored: StoredRecord) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const prefix = recordsPrefix(domain)
  const read = async ({ key }: { key: string }) => {
    signal?.throwIfAborted()
    const backupId = key.slice(prefix.length)
    checkName('backup id', backupId)
    const stored = await readRecord(repository, domain, backupId)
    if (stored !== undefined) await look(stored)
  }
  await pMap(keepFailing(repository.target.list(prefix)), read, { concurrency: LIMITS.targetRequests })
}

/** False: there is one already. */
export async function createRecord(repository: Repository, record: BackupRecord): Promise<boolean> {
  const key = recordKey(record.domain, record.backupId)
  return (await repository.target.putIfAbsent(key, await seal(repository, key, record))) === 'created'
}

/** Undefined: somebody else changed it meanwhile. */
export async function replaceRecord(
  repository: Repository,
  record: BackupRecord,
  version: string,
): Promise<StoredRecord | undefined> {
  const key = recordKey(record.domain, record.backupId)
  const result = await repository.target.replace(key, await seal(repository, key, record), version)
  return result === 'conflict' ? undefined : { value: record, version: result.version }
}

async function seal(repository: Repository, key: string, record: BackupRecord): Promise<Buffer> {
  return (await repository.domain(record.domain)).sealer.seal(key, Buffer.from(JSON.stringify(record)))
}
