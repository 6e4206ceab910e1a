/**
 * Looks at uploaded bytes before any program of others does: what qemu would follow to other files, choke on, or silently read as
 * zeroes is refused here. docs/inspector.md lists the rules.
 */
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { formatBytes, roundUp } from '../domain/sizes.ts'
import { readQcow2Header } from './qcow2-header.ts'
import { walkQcow2Tables } from './qcow2-tables.ts'
import type { ReadableFile } from './read.ts'
import { findSignature } from './signatures.ts'

const SECTOR_BYTES = 512

export interface InspectedImage {
  readonly format: 'raw' | 'qcow2'
  /** What the disk inside has, a multiple of 512. */
  readonly virtualSizeBytes: number
}

/**
 * @param sizeBytes of the file behind `handle`, which is read and stays open.
 * @throws DriverError `invalid`: the message says what was expected and found.
 */
export async function inspectImage(
  handle: ReadableFile,
  sizeBytes: number,
  declaredFormat: 'raw' | 'qcow2',
): Promise<InspectedImage> {
  if (!(sizeBytes > 0))
    throw new DriverError('invalid', 'Expected the image to have bytes, got an empty file')
  try {
    const virtualSizeBytes = await (declaredFormat === 'raw' ? inspectRaw : inspectQcow2)(handle, sizeBytes)
    return { format: declaredFormat, virtualSizeBytes }
  } catch (error) {
    if (error instanceof DriverError) throw error
    throw new DriverError('transient', 'Expected to read the uploaded file, that failed', { cause: error })
  }
}

async function inspectRaw(handle: ReadableFile, sizeBytes: number): Promise<number> {
  const found = await findSignature(handle, sizeBytes)
  if (found !== undefined) {
    throw new DriverError('invalid', `Expected a raw disk, got a ${found.name} file: ${found.cure}`)
  }
  const virtualSizeBytes = roundUp(sizeBytes, SECTOR_BYTES)
  if (virtualSizeBytes > LIMITS.volumeSizeMaxBytes) {
    const limit = formatBytes(LIMITS.volumeSizeMaxBytes)
    throw new DriverError(
      'invalid',
      `Expected a disk of at most ${limit}, got ${formatBytes(virtualSizeBytes)}`,
    )
  }
  return virtualSizeBytes
}

async function inspectQcow2(handle: ReadableFile, sizeBytes: number): Promise<number> {
  const found = await findSignature(handle, sizeBytes)
  if (found?.name !== 'QCOW') {
    throw new DriverError(
      'invalid',
      `Expected a qcow2 image, got ${found ? `a ${found.name} file` : 'raw bytes'}`,
    )
  }
  const header = await readQcow2Header(handle, sizeBytes)
  await walkQcow2Tables(handle, sizeBytes, header)
  return header.virtualSizeBytes
}
