/**
 * The first cluster of an untrusted qcow2 file (docs/interop/qcow2 of QEMU is the specification). Everything is refused that is not
 * known to be harmless: new features, and old ones that a finished disk image has no use for.
 */
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { formatBytes } from '../domain/sizes.ts'
import { readFully, readUpTo, type ReadableFile } from './read.ts'

const V2_HEADER_BYTES = 72
/** 104 as first specified; 112 since there is a compression type. */
const V3_HEADER_BYTES = [104, 112]
const LONGEST_HEADER_BYTES = 112
const CLUSTER_BITS = { min: 9, max: 21 }
const REFCOUNT_ORDER_MAX = 6
/** As in qemu: enough for the refcounts of far more than a file may have. */
const REFCOUNT_TABLE_MAX_BYTES = 8 * 1024 * 1024
const ENTRY_BYTES = 8

/** Incompatible feature bits, each with what a user reads when it is set. */
const FEATURES = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  dataFile: 1n << 2n,
  compressionType: 1n << 3n,
  extendedL2: 1n << 4n,
} as const

const REFUSED_FEATURES: readonly (readonly [bigint, string])[] = [
  [FEATURES.dirty, 'one that was not closed cleanly: repair it with qemu-img check -r all'],
  [FEATURES.corrupt, 'one that is marked as corrupt: repair it with qemu-img check -r all'],
  [FEATURES.dataFile, 'one that keeps its data in another file'],
  [FEATURES.extendedL2, 'one with extended L2 entries (subclusters)'],
]

const EXTENSIONS: ReadonlyMap<number, string> = new Map([
  [0xe2792aca, 'a backing file format'],
  [0x44415441, 'the name of an external data file'],
  [0x0537be77, 'an encryption header'],
  [0x23852875, 'dirty bitmaps: remove them with qemu-img bitmap --remove'],
])
const END_OF_EXTENSIONS = 0
const FEATURE_NAMES = 0x6803f857

export interface Qcow2Header {
  readonly version: 2 | 3
  readonly clusterBits: number
  readonly virtualSizeBytes: number
  readonly l1Entries: number
  readonly l1Offset: number
}

/** Refuses (`invalid`) whatever docs/inspector.md does not allow. */
export async function readQcow2Header(handle: ReadableFile, fileBytes: number): Promise<Qcow2Header> {
  const start = await readUpTo(handle, 0, LONGEST_HEADER_BYTES)
  if (start.length < V2_HEADER_BYTES) throw refused('a whole qcow2 header', `a file of ${fileBytes} bytes`)
  // A version 2 header may be all there is in a tiny file: what is missing reads as zeroes.
  const bytes = Buffer.concat([start], LONGEST_HEADER_BYTES)
  const version = checkVersion(bytes.readUInt32BE(4))
  if (bytes.readBigUInt64BE(8) !== 0n || bytes.readUInt32BE(16) !== 0) {
    throw refused('an image that stands alone', 'one with a backing file: flatten it with qemu-img convert')
  }
  const clusterBits = bytes.readUInt32BE(20)
  if (clusterBits < CLUSTER_BITS.min || clusterBits > CLUSTER_BITS.max) {
    throw refused('clusters of 512 B to 2 MiB', `cluster_bits ${clusterBits}`)
  }
  if (bytes.readUInt32BE(32) !== 0) throw refused('an image that is not encrypted', 'an encrypted one')
  if (bytes.readUInt32BE(60) !== 0) {
    throw refused(
      'an image without internal snapshots',
      `one with ${bytes.readUInt32BE(60)}: remove them with qemu-img snapshot -d`,
    )
  }
  const headerBytes = version === 2 ? V2_HEADER_BYTES : checkVersion3(bytes)
  await checkExtensions(handle, headerBytes, Math.min(fileBytes, 2 ** clusterBits))
  const file = { bytes: fileBytes, clusterBits }
  const virtualSizeBytes = checkVirtualSize(bytes.readBigUInt64BE(24))
  const l1Entries = checkL1Entries(bytes.readUInt32BE(36), virtualSizeBytes, clusterBits)
  const l1Offset = checkTable('L1 table', bytes.readBigUInt64BE(40), l1Entries * ENTRY_BYTES, file)
  checkRefcountTable(bytes, file)
  return { version, clusterBits, virtualSizeBytes, l1Entries, l1Offset }
}

function checkVersion(version: number): 2 | 3 {
  if (version === 2 || version === 3) return version
  throw refused('qcow2 version 2 or 3', `version ${version}`)
}

/** Returns the length of the header. */
function checkVersion3(bytes: Buffer): number {
  const features = bytes.readBigUInt64BE(72)
  for (const [bit, found] of REFUSED_FEATURES) {
    if ((features & bit) !== 0n) throw refused('a plain, whole image', found)
  }
  if ((features & ~FEATURES.compressionType) !== 0n) {
    throw refused('no incompatible feature that is unknown here', `feature bits 0x${features.toString(16)}`)
  }
  const refcountOrder = bytes.readUInt32BE(96)
  if (refcountOrder > REFCOUNT_ORDER_MAX) {
    throw refused(`a refcount order of at most ${REFCOUNT_ORDER_MAX}`, `${refcountOrder}`)
  }
  const headerBytes = bytes.readUInt32BE(100)
  if (!V3_HEADER_BYTES.includes(headerBytes)) {
    throw refused(`a header of ${V3_HEADER_BYTES.join(' or ')} bytes`, `one of ${headerBytes}`)
  }
  const compression = headerBytes > 104 ? bytes.readUInt8(104) : 0
  const expected = (features & FEATURES.compressionType) === 0n ? 0 : 1
  if (compression !== expected) {
    throw refused(`compression type ${expected}, as its feature bit says`, `${compression}`)
  }
  return headerBytes
}

/** Between the header and the end of its cluster: type, length, data padded to 8 bytes; at last a zero type. */
async function checkExtensions(handle: ReadableFile, start: number, end: number): Promise<void> {
  const bytes = await readFully(handle, start, Math.max(0, end - start))
  for (let at = 0; at + 8 <= bytes.length;) {
    const type = bytes.readUInt32BE(at)
    const length = bytes.readUInt32BE(at + 4)
    if (type === END_OF_EXTENSIONS) return
    if (type !== FEATURE_NAMES) {
      const name = EXTENSIONS.get(type) ?? `an unknown one of type 0x${type.toString(16)}`
      throw refused('no header extension but feature names', name)
    }
    if (length > bytes.length - at - 8)
      throw refused('header extensions within one cluster', `one of ${length} bytes`)
    at += 8 + Math.ceil(length / 8) * 8
  }
}

function checkVirtualSize(size: bigint): number {
  const limit = LIMITS.volumeSizeMaxBytes
  if (size > 0n && size <= BigInt(limit) && size % 512n === 0n) return Number(size)
  throw refused(`a disk of whole sectors, at most ${formatBytes(limit)}`, `${size} bytes`)
}

/** One L1 entry covers a whole L2 table of clusters. */
function checkL1Entries(entries: number, virtualSizeBytes: number, clusterBits: number): number {
  const expected = Math.ceil(virtualSizeBytes / 2 ** (2 * clusterBits - 3))
  if (entries !== expected) {
    throw refused(
      `an L1 table of ${expected} entries for ${formatBytes(virtualSizeBytes)}`,
      `one of ${entries}: write the image anew with qemu-img convert`,
    )
  }
  if (entries * ENTRY_BYTES > LIMITS.inspectorReadBytes) {
    throw refused(
      `an L1 table of at most ${formatBytes(LIMITS.inspectorReadBytes)}`,
      `${formatBytes(entries * ENTRY_BYTES)}: write the image anew with clusters of 64 KiB`,
    )
  }
  return entries
}

function checkRefcountTable(bytes: Buffer, file: { bytes: number; clusterBits: number }): void {
  const tableBytes = bytes.readUInt32BE(56) * 2 ** file.clusterBits
  if (tableBytes === 0 || tableBytes > REFCOUNT_TABLE_MAX_BYTES) {
    throw refused(
      `a refcount table of at most ${formatBytes(REFCOUNT_TABLE_MAX_BYTES)}`,
      formatBytes(tableBytes),
    )
  }
  checkTable('refcount table', bytes.readBigUInt64BE(48), tableBytes, file)
}

/** Behind the header's cluster, on a cluster boundary, and inside the file. Returns the offset. */
function checkTable(
  name: string,
  offset: bigint,
  tableBytes: number,
  file: { bytes: number; clusterBits: number },
): number {
  const clusterBytes = 2 ** file.clusterBits
  if (offset < BigInt(clusterBytes) || offset % BigInt(clusterBytes) !== 0n) {
    throw refused(`the ${name} on a cluster boundary behind the header`, `offset ${offset}`)
  }
  if (offset + BigInt(tableBytes) > BigInt(file.bytes)) {
    throw refused(
      `a whole file`,
      `one of ${file.bytes} bytes whose ${name} ends at ${offset + BigInt(tableBytes)}: was the upload cut short?`,
    )
  }
  return Number(offset)
}

function refused(expected: string, found: string): DriverError {
  return new DriverError('invalid', `Expected ${expected}, got ${found}`)
}
