/**
 * Follows an untrusted qcow2's L1 and L2 tables. A file that was cut short has tables or data behind its end, which qemu reads as
 * zeroes without a word; one that was made to hurt uses the same cluster again and again.
 */
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { formatBytes } from '../domain/sizes.ts'
import type { Qcow2Header } from './qcow2-header.ts'
import { readFully, type ReadableFile } from './read.ts'

const ENTRY_BYTES = 8
const SECTOR_BYTES = 512
/** Entries are read as two 32-bit halves: BigInt would make the walk ten times slower. */
const HIGH = 2 ** 32
const COPIED = 0x8000_0000
const COMPRESSED = 0x4000_0000
/** Bits 56 to 61 of a standard entry, and bit 62 of an L1 entry. */
const RESERVED_HIGH = 0x3f00_0000
/** Bits 1 to 8 of a standard entry. */
const RESERVED_LOW = 0x1fe
const READS_AS_ZERO = 1
/** No compressor makes a cluster shorter than this. */
const COMPRESSED_MIN_BYTES = 8
/** An honest file's clusters take at most its size as counted here; compressed ones, counted in sectors, up to twice that. */
const USE_MAX = 2

export async function walkQcow2Tables(
  handle: ReadableFile,
  fileBytes: number,
  header: Qcow2Header,
): Promise<void> {
  const clusterBytes = 2 ** header.clusterBits
  const l1 = await readFully(handle, header.l1Offset, header.l1Entries * ENTRY_BYTES)
  const seen = new Set<number>()
  let usedBytes = 0
  for (let index = 0; index < header.l1Entries; index++) {
    const offset = l2Offset(l1, index, clusterBytes)
    if (offset === 0) continue
    if (offset + clusterBytes > fileBytes) throw cutShort(fileBytes, offset + clusterBytes)
    if (seen.has(offset))
      throw refused('each L2 table to be used once', `one at ${offset} that is used again`)
    seen.add(offset)
    if (seen.size * clusterBytes > LIMITS.inspectorTableBytes) {
      const limit = formatBytes(LIMITS.inspectorTableBytes)
      throw refused(`L2 tables of at most ${limit}`, 'more: write the image anew with clusters of 64 KiB')
    }
    const table = await readFully(handle, offset, clusterBytes)
    usedBytes += checkL2Table(table, index, fileBytes, header)
    if (usedBytes > USE_MAX * fileBytes)
      throw refused('each cluster to be used once', 'clusters that are used again')
  }
}

function l2Offset(l1: Buffer, index: number, clusterBytes: number): number {
  const high = l1.readUInt32BE(index * ENTRY_BYTES)
  const low = l1.readUInt32BE(index * ENTRY_BYTES + 4)
  const offset = (high & 0x00ff_ffff) * HIGH + low
  if ((high & (RESERVED_HIGH | COMPRESSED)) !== 0 || offset % clusterBytes !== 0) {
    throw refused('L2 tables on cluster boundaries', `L1 entry ${index} with ${entryText(high, low)}`)
  }
  return offset
}

/** Returns how many bytes of the file the table's clusters take. */
function checkL2Table(table: Buffer, l1Index: number, fileBytes: number, header: Qcow2Header): number {
  const entries = table.length / ENTRY_BYTES
  let usedBytes = 0
  for (let index = 0; index < entries; index++) {
    const high = table.readUInt32BE(index * ENTRY_BYTES)
    const low = table.readUInt32BE(index * ENTRY_BYTES + 4)
    if (high === 0 && low <= READS_AS_ZERO) continue
    const guestOffset = (l1Index * entries + index) * 2 ** header.clusterBits
    const needed = Math.min(2 ** header.clusterBits, header.virtualSizeBytes - guestOffset)
    usedBytes +=
      (high & COMPRESSED) === 0
        ? checkStandardCluster(high, low, needed, fileBytes, header)
        : checkCompressedCluster(high, low, fileBytes, header)
  }
  return usedBytes
}

/** `needed`: the last cluster of a disk need not be whole in the file. */
function checkStandardCluster(
  high: number,
  low: number,
  needed: number,
  fileBytes: number,
  header: Qcow2Header,
): number {
  const clusterBytes = 2 ** header.clusterBits
  const zero = low & READS_AS_ZERO
  const offset = (high & 0x00ff_ffff) * HIGH + (low - zero)
  const reserved = (high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0
  if (reserved || offset % clusterBytes !== 0 || (zero !== 0 && header.version === 2)) {
    throw refused('clusters on cluster boundaries', `an L2 entry with ${entryText(high, low)}`)
  }
  if (offset === 0) return 0
  if (offset + (zero === 0 ? Math.max(needed, 0) : 0) > fileBytes) throw cutShort(fileBytes, offset + needed)
  return clusterBytes
}

/** The low bits are a byte offset; above them the count of further sectors that the compressed bytes reach into. */
function checkCompressedCluster(high: number, low: number, fileBytes: number, header: Qcow2Header): number {
  const offsetHighBits = 62 - (header.clusterBits - 8) - 32
  const field = high & 0x3fff_ffff
  const offset = (field % 2 ** offsetHighBits) * HIGH + low
  const furtherSectors = Math.floor(field / 2 ** offsetHighBits)
  const end = offset - (offset % SECTOR_BYTES) + (furtherSectors + 1) * SECTOR_BYTES
  if ((high & COPIED) !== 0 || offset < 2 ** header.clusterBits) {
    throw refused('compressed clusters behind the header', `an L2 entry with ${entryText(high, low)}`)
  }
  // The last sector may be cut: compressed bytes end where they end.
  if (end - SECTOR_BYTES >= fileBytes) throw cutShort(fileBytes, end)
  return Math.max(furtherSectors * SECTOR_BYTES, COMPRESSED_MIN_BYTES)
}

function entryText(high: number, low: number): string {
  return `0x${(high * HIGH + low).toString(16)}`
}

function cutShort(fileBytes: number, neededBytes: number): DriverError {
  return refused(
    'a whole file',
    `one of ${fileBytes} bytes that uses ${neededBytes}: was the upload cut short?`,
  )
}

function refused(expected: string, found: string): DriverError {
  return new DriverError('invalid', `Expected ${expected}, got ${found}`)
}
