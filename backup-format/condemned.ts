/**
 * Lists of what the collector is about to delete: 41 bytes per object, namely `c` or `s`, the id, the epoch and the length of the object
 * (u32, little endian). Until the collection is over, writers treat these objects as absent.
 */
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { KeySet } from './key-set.ts'
import type { BlobKind, BlobRef } from './names.ts'
import type { Repository } from './repository.ts'
import { readState, type RepositoryState } from './state.ts'

const ITEM_BYTES = 41
const TAGS: Record<BlobKind, number> = { chunk: 0x63, page: 0x73 }

export interface CondemnedBlob extends BlobRef {
  readonly kind: BlobKind
  readonly sizeBytes: number
}

export function encodeCondemned(blobs: readonly CondemnedBlob[]): Buffer {
  const bytes = Buffer.alloc(blobs.length * ITEM_BYTES)
  blobs.forEach((blob, index) => {
    const start = index * ITEM_BYTES
    bytes.writeUInt8(TAGS[blob.kind], start)
    bytes.write(blob.id, start + 1, 'hex')
    bytes.writeUInt32LE(blob.epoch, start + 33)
    bytes.writeUInt32LE(blob.sizeBytes, start + 37)
  })
  return bytes
}

/** Undefined: the list is gone, its collection is over. */
export async function readCondemnedList(
  { target, sealer }: Repository,
  key: string,
): Promise<CondemnedBlob[] | undefined> {
  const stored = await target.get(key)
  if (stored === undefined) return undefined
  const bytes = sealer.open('condemned list', key, stored.bytes)
  return Array.from({ length: bytes.byteLength / ITEM_BYTES }, (_, index) => {
    const start = index * ITEM_BYTES
    return {
      kind: bytes.readUInt8(start) === TAGS.chunk ? 'chunk' : 'page',
      id: bytes.toString('hex', start + 1, start + 33),
      epoch: bytes.readUInt32LE(start + 33),
      sizeBytes: bytes.readUInt32LE(start + 37),
    }
  })
}

/** The state, and what of this domain is condemned in it. */
export async function readCondemned(
  repository: Repository,
  domain: string,
): Promise<{ state: RepositoryState; condemned: KeySet }> {
  for (let attempt = 0; attempt < LIMITS.stateReadsMax; attempt += 1) {
    const state = (await readState(repository)).value
    const condemned = await uniteLists(repository, state, domain)
    if (condemned !== undefined) return { state, condemned }
  }
  throw new DriverError(
    'corrupt',
    'Expected the lists of condemned objects that the state names, one is missing',
  )
}

/** Undefined: a list vanished, so the state has moved on. */
export async function uniteLists(
  repository: Repository,
  state: RepositoryState,
  domain: string,
): Promise<KeySet | undefined> {
  const condemned = new KeySet()
  for (const list of state.lists.filter((ref) => ref.domain === domain)) {
    const blobs = await readCondemnedList(repository, list.key)
    if (blobs === undefined) return undefined
    for (const blob of blobs) condemned.add(blob)
  }
  return condemned
}
