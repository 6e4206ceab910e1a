/** A minimal writer of the repository format, so that the checker's reader is tried without the product. */
import { createCipheriv, createHmac, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import {
  idOf,
  type KeySet,
  keysOf,
  repositoryKeys,
  sealOfRepository,
  sealOfSlot,
  sessionKey,
  wrappingKey,
} from '../repository/keys.ts'

export const CHUNK_BYTES = 4096
const PAGE_ENTRIES = 4
const SLOT_ID = '00112233445566aa'

export interface SampleRepository {
  readonly root: string
  readonly repoId: string
  readonly keys: KeySet
  readonly masterKey: Buffer
  readonly slotKey: string
  /** Writes a sealed object of the domain, or of the repository for keys outside `d/`. */
  put(key: string, plain: Buffer): Promise<void>
  /** Stores a backup of these bytes; answers the keys of what it refers to. */
  backup(backupId: string, bytes: Buffer, changes?: object): Promise<{ chunks: string[]; pages: string[] }>
}

export async function writeRepository(
  root: string,
  keyFile: Buffer,
  domain: string,
): Promise<SampleRepository> {
  const repoId = '5f2c1f6e-0d53-4c57-9d3a-3d1f4bb9c001'
  const description = {
    format: 'volflow-backup',
    version: 2,
    repoId,
    chunkBytes: CHUNK_BYTES,
    pageEntries: PAGE_ENTRIES,
  }
  const masterKey = randomBytes(32)
  const seal = sealOfRepository(masterKey, { ...description, seal: '' })
  await write(root, 'repo.json', Buffer.from(JSON.stringify({ ...description, seal })))
  const slotKey = `keys/${SLOT_ID}`
  await write(root, slotKey, slot(keyFile, masterKey, repoId))
  const rootKey = randomBytes(32)
  const keys = keysOf(rootKey, description.version)
  const put = async (key: string, plain: Buffer) => {
    const own = /^d\/[^/]+\/.\//.test(key) ? keys : repositoryKeys(masterKey, description)
    await write(root, key, sealed(plain, key, repoId, own))
  }
  for (const key of [`domains/${domain}`, `d/${domain}/key`]) {
    await put(key, Buffer.from(JSON.stringify({ version: 1, domain, rootKey: rootKey.toString('hex') })))
  }
  await put(
    'state',
    Buffer.from(JSON.stringify({ version: 1, epoch: 1, phase: 'idle', run: null, lists: [] })),
  )
  const store = async (kind: 'c' | 's', plain: Buffer) => {
    const id = idOf(keys, plain)
    const key = `d/${domain}/${kind}/${id.slice(0, 2)}/${id}.1`
    await put(key, plain)
    return { id, key }
  }
  const backup: SampleRepository['backup'] = async (backupId, bytes, changes = {}) => {
    const chunks: string[] = []
    const pages: string[] = []
    const names: (string | null)[] = []
    for (let page = 0; page < bytes.length; page += CHUNK_BYTES * PAGE_ENTRIES) {
      const entries: Buffer[] = []
      for (const chunk of pieces(bytes.subarray(page, page + CHUNK_BYTES * PAGE_ENTRIES))) {
        const entry = Buffer.alloc(40)
        entries.push(entry)
        if (chunk.equals(Buffer.alloc(chunk.length))) continue
        const { id, key } = await store('c', chunk)
        chunks.push(key)
        entry.write(id, 'hex')
        entry.writeUInt32LE(1, 32)
      }
      const plain = Buffer.concat(entries)
      if (plain.equals(Buffer.alloc(plain.length))) {
        names.push(null)
        continue
      }
      const { id, key } = await store('s', plain)
      pages.push(key)
      names.push(`${id}.1`)
    }
    const record = {
      ...{ version: 1, backupId, domain, state: 'committed', writerToken: 1, journal: '0'.repeat(16) },
      ...{ epoch: 1, openedEpoch: 1, sizeBytes: bytes.length, chunkBytes: CHUNK_BYTES, parentBackupId: null },
      ...{ volume: {}, createdAt: '', committedAt: '', pages: names, totals: {} },
      ...changes,
    }
    await put(`d/${domain}/r/${backupId}`, Buffer.from(JSON.stringify(record)))
    return { chunks, pages }
  }
  return { root, repoId, keys, masterKey, slotKey, put, backup }
}

function slot(keyFile: Buffer, masterKey: Buffer, repoId: string): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', wrappingKey(keyFile, { repoId, id: SLOT_ID }), nonce)
  cipher.setAAD(Buffer.from(`volflow-key-slot|1|${repoId}|${SLOT_ID}|key-file`))
  const wrapped = Buffer.concat([cipher.update(masterKey), cipher.final(), cipher.getAuthTag()])
  const line = JSON.stringify({
    ...{
      version: 1,
      repoId,
      id: SLOT_ID,
      kind: 'key-file',
      label: '',
      createdAt: '2026-01-01T00:00:00.000Z',
    },
    ...{ nonce: nonce.toString('hex'), wrapped: wrapped.toString('hex') },
  })
  return Buffer.from(`${line}\n${sealOfSlot(masterKey, repoId, line)}\n`)
}

function pieces(bytes: Buffer): Buffer[] {
  const count = Math.ceil(bytes.length / CHUNK_BYTES)
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES))
}

function sealed(plain: Buffer, key: string, repoId: string, keys: KeySet): Buffer {
  const packed = zstdCompressSync(plain)
  const [codec, body] = packed.length < plain.length ? [1, packed] : [0, plain]
  const [session, nonce] = [randomBytes(16), randomBytes(12)]
  const cipher = createCipheriv('aes-256-gcm', sessionKey(keys, session), nonce)
  cipher.setAAD(Buffer.from(`volflow-backup|1|${repoId}|${key}|${codec}|${plain.length}`))
  const encrypted = Buffer.concat([cipher.update(body), cipher.final()])
  const header = Buffer.alloc(16)
  header.write('VFBO')
  header[4] = 1
  header[5] = codec
  header.writeUInt32LE(plain.length, 8)
  header.writeUInt32LE(encrypted.length, 12)
  return Buffer.concat([header, session, nonce, encrypted, cipher.getAuthTag()])
}

async function write(root: string, key: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(join(root, key)), { recursive: true })
  await writeFile(join(root, key), bytes)
}

/** Ids of objects are keyed; this one belongs to nobody. */
export function foreignId(): string {
  return createHmac('sha256', 'nobody').update('nothing').digest('hex')
}
