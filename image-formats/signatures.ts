/** How files that are not plain disk bytes begin or end. */
import { readUpTo, type ReadableFile } from './read.ts'

interface Signature {
  readonly name: string
  /** From the start; negative: from the end of the file. */
  readonly offset: number
  readonly bytes: Buffer
  /** What the user can do about it, where that is not a conversion. */
  readonly cure?: string
}

const UNPACK = 'unpack it before the upload'

/**
 * ISO 9660 is not here: installation media are uploaded as raw disks, and nothing interprets them on the way.
 */
const SIGNATURES: readonly Signature[] = [
  { name: 'QCOW', offset: 0, bytes: text('QFI\xfb') },
  { name: 'VMDK', offset: 0, bytes: text('KDMV') },
  { name: 'VMDK (ESX sparse)', offset: 0, bytes: text('COWD') },
  { name: 'VMDK (SE sparse)', offset: 0, bytes: hex('bebafeca00000000') },
  { name: 'VMDK descriptor', offset: 0, bytes: text('# Disk DescriptorFile') },
  { name: 'VHDX', offset: 0, bytes: text('vhdxfile') },
  { name: 'VHD (dynamic)', offset: 0, bytes: text('conectix') },
  { name: 'VHD (fixed)', offset: -512, bytes: text('conectix') },
  { name: 'VHD (fixed)', offset: -511, bytes: text('conectix') },
  { name: 'VDI', offset: 64, bytes: hex('7f10dabe') },
  { name: 'QED', offset: 0, bytes: text('QED\0') },
  { name: 'Parallels', offset: 0, bytes: text('WithoutFreeSpace') },
  { name: 'Parallels', offset: 0, bytes: text('WithouFreSpacExt') },
  { name: 'Bochs', offset: 0, bytes: text('Bochs Virtual HD Image') },
  { name: 'cloop', offset: 0, bytes: text('#!/bin/sh\n#V2.0 Format') },
  { name: 'DMG', offset: -512, bytes: text('koly') },
  { name: 'LUKS', offset: 0, bytes: text('LUKS\xba\xbe'), cure: 'decrypt it before the upload' },
  { name: 'gzip', offset: 0, bytes: hex('1f8b08'), cure: UNPACK },
  { name: 'xz', offset: 0, bytes: hex('fd377a585a00'), cure: UNPACK },
  { name: 'zstd', offset: 0, bytes: hex('28b52ffd'), cure: UNPACK },
  { name: 'bzip2', offset: 0, bytes: text('BZh'), cure: UNPACK },
  { name: '7-Zip', offset: 0, bytes: hex('377abcaf271c'), cure: UNPACK },
  { name: 'zip', offset: 0, bytes: hex('504b0304'), cure: UNPACK },
  { name: 'tar (OVA)', offset: 257, bytes: text('ustar'), cure: UNPACK },
]

const EDGE_BYTES = 512

/** The container that a file says it is; undefined for plain bytes. */
export async function findSignature(
  handle: ReadableFile,
  sizeBytes: number,
): Promise<{ name: string; cure: string } | undefined> {
  const head = await readUpTo(handle, 0, Math.min(EDGE_BYTES, sizeBytes))
  const tailStart = Math.max(0, sizeBytes - EDGE_BYTES)
  const tail = await readUpTo(handle, tailStart, sizeBytes - tailStart)
  const found = SIGNATURES.find(({ offset, bytes }) => {
    const edge = offset < 0 ? tail : head
    const at = offset < 0 ? tail.length + offset : offset
    return at >= 0 && edge.subarray(at, at + bytes.length).equals(bytes)
  })
  return found && { name: found.name, cure: found.cure ?? 'convert it with qemu-img before the upload' }
}

function text(characters: string): Buffer {
  return Buffer.from(characters, 'latin1')
}

function hex(digits: string): Buffer {
  return Buffer.from(digits, 'hex')
}
