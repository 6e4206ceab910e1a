/** Compares a target with the database: everything that should be there is, readable, and nothing else. */
import type { Row } from '../database.ts'
import type { TargetPlace } from '../installation.ts'
import { parseSlot, sealOfSlot } from './keys.ts'
import { openObjects, type RepositoryObjects } from './objects.ts'
import { type BackupRecord, openReader, readKeyFile, type RepositoryReader } from './reader.ts'

const KEY_KINDS = {
  repository: /^(repo\.json|state)$/,
  slot: /^keys\/[0-9a-f]{16}$/,
  root: /^d\/([a-z0-9][a-z0-9_-]{0,63})\/key$/,
  domain: /^domains\/([a-z0-9][a-z0-9_-]{0,63})$/,
  chunk: /^d\/([a-z0-9][a-z0-9_-]{0,63})\/c\/([0-9a-f]{2})\/\2[0-9a-f]{62}\.[1-9]\d*$/,
  page: /^d\/([a-z0-9][a-z0-9_-]{0,63})\/s\/([0-9a-f]{2})\/\2[0-9a-f]{62}\.[1-9]\d*$/,
  record: /^d\/([a-z0-9][a-z0-9_-]{0,63})\/r\/([a-z0-9][a-z0-9_-]{0,63})$/,
  journal: /^d\/([a-z0-9][a-z0-9_-]{0,63})\/j\/([a-z0-9][a-z0-9_-]{0,63})\/[0-9a-f]{16}-(0|[1-9]\d*)$/,
  quarantined: /^d\/([a-z0-9][a-z0-9_-]{0,63})\/q\/[cs]-[0-9a-f]{64}\.[1-9]\d*$/,
  condemned: /^gc\/[1-9]\d*\/[0-9a-f]{16}-(0|[1-9]\d*)$/,
}

type KeyKind = keyof typeof KEY_KINDS

export interface TargetToCheck {
  readonly name: string
  readonly place: TargetPlace
  readonly backupKeyFile: string
  /** Rows of backups in this target. */
  readonly backups: readonly Row[]
  readonly collected: boolean
}

export async function checkTarget(target: TargetToCheck): Promise<string[]> {
  const objects = openObjects(target.place)
  try {
    const found = [
      ...(await objects.leftovers()).map((what) => `leftover: ${what}`),
      ...(await checkObjects(target, objects)),
    ]
    return found.map((violation) => `target ${target.name}: ${violation}`)
  } finally {
    objects.close()
  }
}

async function checkObjects(target: TargetToCheck, objects: RepositoryObjects): Promise<string[]> {
  const keys = new Map([...(await objects.list()).keys()].map((key) => [key, kindOf(key)] as const))
  // Nothing was ever stored here; then no backup may claim otherwise.
  if (keys.size === 0) return checkRows(target.backups, [])
  const violations = [...keys].flatMap(([key, kind]) =>
    kind === undefined ? [`foreign object: ${key}`] : [],
  )
  let reader
  try {
    reader = await openReader(objects, await readKeyFile(target.backupKeyFile))
  } catch (error) {
    return [...violations, `unreadable repository: ${messageOf(error)}`]
  }
  const records = await readRecords(reader, keys, violations)
  violations.push(...checkRows(target.backups, records))
  violations.push(...checkTransients(keys, records, target.collected))
  violations.push(...(await checkState(reader, keys, target.collected)))
  violations.push(...(await checkSlots(reader, objects, keys)))
  const referenced = await followRecords(reader, keys, records, violations)
  for (const [key, kind] of keys) {
    if ((kind !== 'chunk' && kind !== 'page') || referenced.has(key)) continue
    if (target.collected) violations.push(`unreferenced ${kind}: ${key}`)
    else await attempt(violations, `unreadable ${kind}`, () => reader.content(key))
  }
  return violations
}

function kindOf(key: string): KeyKind | undefined {
  return (Object.keys(KEY_KINDS) as KeyKind[]).find((kind) => KEY_KINDS[kind].test(key))
}

async function readRecords(
  reader: RepositoryReader,
  keys: ReadonlyMap<string, KeyKind | undefined>,
  violations: string[],
): Promise<BackupRecord[]> {
  const records: BackupRecord[] = []
  for (const [key, kind] of keys) {
    if (kind !== 'record') continue
    const [, domain = '', backupId = ''] = KEY_KINDS.record.exec(key) ?? []
    if (!keys.has(`domains/${domain}`)) violations.push(`missing object: domains/${domain}`)
    await attempt(violations, 'unreadable record', async () => {
      const record = await reader.record(domain, backupId)
      if (record.backupId !== backupId || record.domain !== domain)
        throw new Error(`${key} describes another backup`)
      records.push(record)
    })
  }
  return records
}

/** Each backup that users see has its committed record, and the other way round. */
function checkRows(rows: readonly Row[], records: readonly BackupRecord[]): string[] {
  const violations: string[] = []
  const committed = new Map(
    records.filter((record) => record.state === 'committed').map((record) => [record.backupId, record]),
  )
  for (const row of rows) {
    const record = committed.get(String(row.id))
    committed.delete(String(row.id))
    if (row.status === 'error' && record !== undefined)
      violations.push(`backup ${row.id} is in error, its record is committed`)
    if (row.status !== 'available') continue
    if (record === undefined) violations.push(`backup ${row.id} is available, but has no committed record`)
    else violations.push(...differences(row, record))
  }
  for (const backupId of committed.keys())
    violations.push(`committed record without a backup in the database: ${backupId}`)
  return violations
}

function differences(row: Row, record: BackupRecord): string[] {
  const pairs = [
    ['project', row.project_id, record.domain],
    ['size', row.size_bytes, record.sizeBytes],
    ['parent', row.parent_id, record.parentBackupId],
  ] as const
  return pairs.flatMap(([what, inRow, inRecord]) =>
    inRow === inRecord
      ? []
      : [`backup ${row.id}: its ${what} is ${inRow} in the database, ${inRecord} in its record`],
  )
}

/** With nobody at work there is no open record and no journal; aborted records stay until the next collection. */
function checkTransients(
  keys: ReadonlyMap<string, KeyKind | undefined>,
  records: readonly BackupRecord[],
  collected: boolean,
): string[] {
  const resting = collected ? ['committed'] : ['committed', 'aborted']
  return [
    ...records
      .filter((record) => !resting.includes(record.state))
      .map((record) => `record of backup ${record.backupId} is ${record.state}`),
    ...[...keys].flatMap(([key, kind]) => (kind === 'journal' ? [`leftover journal: ${key}`] : [])),
    ...[...keys].flatMap(([key, kind]) => (kind === 'quarantined' ? [`damaged object: ${key}`] : [])),
  ]
}

/** Whoever has opened one slot can tell that nobody altered the others. Slots of a creation that was overtaken name another repository. */
async function checkSlots(
  { description, masterKey }: RepositoryReader,
  objects: RepositoryObjects,
  keys: ReadonlyMap<string, KeyKind | undefined>,
): Promise<string[]> {
  const violations: string[] = []
  for (const [key, kind] of keys) {
    if (kind !== 'slot') continue
    await attempt(violations, `damaged key slot ${key}`, async () => {
      const { slot, line, seal } = parseSlot(await objects.get(key))
      if (slot.repoId !== description.repoId) return
      if (key !== `keys/${slot.id}`) throw new Error(`is slot ${slot.id}`)
      if (seal !== sealOfSlot(masterKey, slot.repoId, line)) throw new Error('has a wrong seal')
    })
  }
  return violations
}

/** A cancelled collection may rest half way; the next one goes on from there. */
async function checkState(
  reader: RepositoryReader,
  keys: ReadonlyMap<string, KeyKind | undefined>,
  collected: boolean,
): Promise<string[]> {
  if (!keys.has('state')) return ['missing object: state']
  const violations: string[] = []
  await attempt(violations, 'unreadable state', async () => {
    const { phase } = await reader.state()
    if (collected && phase !== 'idle') violations.push(`collection is ${phase}, it should be idle`)
    if (phase !== 'idle') return
    for (const [key, kind] of keys) if (kind === 'condemned') violations.push(`leftover list: ${key}`)
  })
  return violations
}

/** Reads everything that committed records refer to; answers with the keys. */
async function followRecords(
  reader: RepositoryReader,
  keys: ReadonlyMap<string, KeyKind | undefined>,
  records: readonly BackupRecord[],
  violations: string[],
): Promise<ReadonlySet<string>> {
  const referenced = new Set<string>()
  for (const record of records) {
    if (record.state !== 'committed') continue
    const where = `backup ${record.backupId}`
    violations.push(...checkShape(record, reader.description.chunkBytes, reader.description.pageEntries))
    await attempt(violations, where, async () => {
      for (const name of record.pages ?? []) {
        if (name !== null) referenced.add(`d/${record.domain}/s/${name.slice(0, 2)}/${name}`)
      }
      for await (const { key, lengthBytes } of reader.chunks(record)) {
        if (key === null || referenced.has(key)) continue
        referenced.add(key)
        if (!keys.has(key)) violations.push(`missing object: ${key} of ${where}`)
        else await attempt(violations, where, () => checkChunk(reader, key, lengthBytes))
      }
    })
  }
  return referenced
}

async function checkChunk(reader: RepositoryReader, key: string, lengthBytes: number): Promise<void> {
  const plain = await reader.content(key)
  if (plain.length !== lengthBytes)
    throw new Error(`${key} has ${plain.length} bytes, ${lengthBytes} are due`)
  if (plain.equals(Buffer.alloc(lengthBytes)))
    throw new Error(`${key} is a chunk of zeroes, which has no object`)
}

function checkShape(record: BackupRecord, chunkBytes: number, pageEntries: number): string[] {
  const pages = Math.ceil(Math.ceil(record.sizeBytes / chunkBytes) / pageEntries)
  const violations: string[] = []
  if (record.chunkBytes !== chunkBytes)
    violations.push(`backup ${record.backupId} has chunks of ${record.chunkBytes} bytes`)
  if (record.pages?.length !== pages) {
    violations.push(`backup ${record.backupId} lists ${record.pages?.length ?? 'no'} pages, ${pages} are due`)
  }
  return violations
}

async function attempt(violations: string[], what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    violations.push(`${what}: ${messageOf(error)}`)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
