/** An independent reader of the repository format, written from docs/backup-format.md alone. */
import { readFile } from 'node:fs/promises'
import {
  idOf,
  type KeySet,
  keysOf,
  masterKeyOf,
  parseSlot,
  repositoryKeys,
  type RepositoryDescription,
  sealOfRepository,
} from './keys.ts'
import type { RepositoryObjects } from './objects.ts'
import { openSealed } from './sealed.ts'

const ENTRY_BYTES = 40
const ZERO_ENTRY = Buffer.alloc(ENTRY_BYTES)

export interface BackupRecord {
  readonly version: number
  readonly backupId: string
  readonly domain: string
  readonly state: string
  readonly journal: string
  readonly sizeBytes: number
  readonly chunkBytes: number
  readonly parentBackupId: string | null
  readonly pages: readonly (string | null)[] | null
}

export interface RepositoryState {
  readonly epoch: number
  readonly phase: string
}

/** One chunk of a backup; `key` null: zeroes. */
export interface ChunkOfBackup {
  readonly key: string | null
  readonly lengthBytes: number
}

export interface RepositoryReader {
  readonly description: RepositoryDescription
  readonly masterKey: Buffer
  state(): Promise<RepositoryState>
  record(domain: string, backupId: string): Promise<BackupRecord>
  /** Every index page of a committed record that is not zero, opened and checked. */
  pages(record: BackupRecord): AsyncGenerator<{ key: string; pageNumber: number; plain: Buffer }>
  /** The chunks of a backup in order. */
  chunks(record: BackupRecord): AsyncGenerator<ChunkOfBackup>
  /** The plain bytes of a chunk or index page; throws unless they are authentic and have the id of their key. */
  content(key: string): Promise<Buffer>
  /** The plain bytes of any sealed object. */
  open(key: string): Promise<Buffer>
}

export async function readKeyFile(file: string): Promise<Buffer> {
  const text = (await readFile(file, 'utf8')).trim()
  if (!/^[0-9a-f]{64}$/.test(text)) throw new Error(`${file} does not hold 64 hex digits`)
  return Buffer.from(text, 'hex')
}

/** The master key of a repository, from whichever of its slots this key file opens. */
export async function unlock(objects: RepositoryObjects, repoId: string, keyFile: Buffer): Promise<Buffer> {
  for (const key of (await objects.list()).keys()) {
    if (!key.startsWith('keys/')) continue
    const { slot } = parseSlot(await objects.get(key))
    const isCandidate = slot.repoId === repoId && `keys/${slot.id}` === key && slot.kind === 'key-file'
    const masterKey = isCandidate ? masterKeyOf(slot, keyFile) : undefined
    if (masterKey !== undefined) return masterKey
  }
  throw new Error('no key slot opens with this key file')
}

/** Throws when no slot of this repository opens with this key file. */
export async function openReader(objects: RepositoryObjects, keyFile: Buffer): Promise<RepositoryReader> {
  const description = JSON.parse((await objects.get('repo.json')).toString('utf8')) as RepositoryDescription
  const { format, version, repoId } = description
  if (format !== 'volflow-backup' || ![1, 2].includes(version)) {
    throw new Error(`repo.json describes ${format} version ${version}`)
  }
  const masterKey = await unlock(objects, repoId, keyFile)
  if (sealOfRepository(masterKey, description) !== description.seal)
    throw new Error('repo.json has a wrong seal')
  const ofRepository = repositoryKeys(masterKey, description)
  const ofDomains = new Map<string, KeySet>()
  const keysFor = async (key: string): Promise<KeySet> => {
    const domain = /^d\/([^/]+)\/.\//.exec(key)?.[1]
    if (domain === undefined) return ofRepository
    const keys = ofDomains.get(domain) ?? keysOf(await rootOf(domain), version)
    ofDomains.set(domain, keys)
    return keys
  }
  const rootOf = async (domain: string) => {
    const [root, copy] = [await open(`domains/${domain}`), await open(`d/${domain}/key`)]
    if (!root.equals(copy)) throw new Error(`domains/${domain} and its copy are not the same`)
    const { rootKey, domain: owner } = JSON.parse(root.toString('utf8')) as {
      rootKey: string
      domain: string
    }
    if (owner !== domain) throw new Error(`domains/${domain} is the key of ${owner}`)
    return Buffer.from(rootKey, 'hex')
  }
  const open = async (key: string): Promise<Buffer> => {
    try {
      return openSealed(await objects.get(key), key, repoId, await keysFor(key))
    } catch (error) {
      throw new Error(`${key} ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
  const content = async (key: string) => {
    const plain = await open(key)
    const named = /([0-9a-f]{64})\.\d+$/.exec(key)?.[1]
    if (idOf(await keysFor(key), plain) !== named) throw new Error(`${key} holds bytes of another id`)
    return plain
  }
  const reader: RepositoryReader = {
    description,
    masterKey,
    open,
    content,
    state: async () => JSON.parse((await open('state')).toString('utf8')) as RepositoryState,
    record: async (domain, backupId) =>
      JSON.parse((await open(`d/${domain}/r/${backupId}`)).toString('utf8')) as BackupRecord,
    pages: (record) => pagesOf(reader, record),
    chunks: (record) => chunksOf(reader, record),
  }
  return reader
}

async function* pagesOf(reader: RepositoryReader, record: BackupRecord) {
  const { pageEntries } = reader.description
  const chunkCount = Math.ceil(record.sizeBytes / record.chunkBytes)
  for (const [pageNumber, name] of (record.pages ?? []).entries()) {
    if (name === null) continue
    const key = `d/${record.domain}/s/${name.slice(0, 2)}/${name}`
    const plain = await reader.content(key)
    const entries = Math.min(pageEntries, chunkCount - pageNumber * pageEntries)
    if (plain.length !== entries * ENTRY_BYTES) {
      throw new Error(`${key} has ${plain.length} bytes, ${entries * ENTRY_BYTES} are due`)
    }
    if (plain.equals(Buffer.alloc(plain.length)))
      throw new Error(`${key} is a page of zeroes, which is not stored`)
    yield { key, pageNumber, plain }
  }
}

async function* chunksOf(reader: RepositoryReader, record: BackupRecord): AsyncGenerator<ChunkOfBackup> {
  const { pageEntries } = reader.description
  const { chunkBytes, sizeBytes, domain } = record
  let next = 0
  const zeroesUntil = function* (end: number): Generator<ChunkOfBackup> {
    for (; next < end; next++) yield { key: null, lengthBytes: lengthOf(next) }
  }
  const lengthOf = (chunk: number) => Math.min(chunkBytes, sizeBytes - chunk * chunkBytes)
  for await (const { pageNumber, plain } of reader.pages(record)) {
    yield* zeroesUntil(pageNumber * pageEntries)
    for (let at = 0; at < plain.length; at += ENTRY_BYTES, next++) {
      const key = chunkKey(domain, plain.subarray(at, at + ENTRY_BYTES))
      yield { key, lengthBytes: lengthOf(next) }
    }
  }
  yield* zeroesUntil(Math.ceil(sizeBytes / chunkBytes))
}

function chunkKey(domain: string, entry: Buffer): string | null {
  if (entry.equals(ZERO_ENTRY)) return null
  const id = entry.toString('hex', 0, 32)
  return `d/${domain}/c/${id.slice(0, 2)}/${id}.${entry.readUInt32LE(32)}`
}
