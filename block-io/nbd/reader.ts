import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { BlockReader, BlockWriter, Extent, NbdSpec } from '../device.ts'
import { appendExtent } from '../extents.ts'
import { requireRange } from '../file-errors.ts'
import { NbdClient } from './client.ts'

/** Throws DriverError: `corrupt` when the export is smaller than the spec says. */
export async function openNbdReader(spec: NbdSpec): Promise<BlockReader> {
  const client = await connectTo(spec)
  return {
    sizeBytes: spec.sizeBytes,
    read: async (buffer, offset) => {
      requireRange(spec.sizeBytes, offset, buffer.length)
      await inPieces(buffer, offset, (piece, at) => client.read(piece, at))
    },
    extents: (offset, length) => readExtents(client, spec.sizeBytes, offset, length),
    close: () => client.close(),
  }
}

/** Throws DriverError: `invalid` when the export is read-only, `unsupported` when it cannot flush. */
export async function openNbdWriter(spec: NbdSpec): Promise<BlockWriter> {
  const client = await connectTo(spec)
  const { readOnly, canFlush, canWriteZeroes } = client.info
  if (readOnly || !canFlush || !canWriteZeroes) {
    await client.close()
    if (readOnly) throw new DriverError('invalid', 'Expected a writable NBD export, got a read-only one')
    throw new DriverError('unsupported', 'Expected an NBD server that can flush and write zeroes, it cannot')
  }
  return {
    sizeBytes: spec.sizeBytes,
    write: async (buffer, offset) => {
      requireRange(spec.sizeBytes, offset, buffer.length)
      await inPieces(buffer, offset, (piece, at) => client.write(piece, at))
    },
    writeZeroes: async (offset, length) => {
      requireRange(spec.sizeBytes, offset, length)
      for (let done = 0; done < length; done += LIMITS.nbdZeroesBytes) {
        await client.writeZeroes(offset + done, Math.min(LIMITS.nbdZeroesBytes, length - done))
      }
    },
    flush: () => client.flush(),
    close: () => client.close(),
  }
}

async function connectTo(spec: NbdSpec): Promise<NbdClient> {
  const client = await NbdClient.connect(spec)
  if (client.info.sizeBytes >= spec.sizeBytes) return client
  await client.close()
  throw new DriverError(
    'corrupt',
    `Expected an export of ${spec.sizeBytes} bytes, got ${client.info.sizeBytes}`,
  )
}

async function inPieces(
  buffer: Uint8Array,
  offset: number,
  transfer: (piece: Uint8Array, offset: number) => Promise<void>,
): Promise<void> {
  if (buffer.length <= LIMITS.nbdRequestBytes) return transfer(buffer, offset)
  const transfers: Promise<void>[] = []
  for (let done = 0; done < buffer.length; done += LIMITS.nbdRequestBytes) {
    transfers.push(transfer(buffer.subarray(done, done + LIMITS.nbdRequestBytes), offset + done))
  }
  await Promise.all(transfers)
}

/** What the server does not tell, and what lies behind LIMITS.extentsMax extents, counts as data: slower, never wrong. */
async function readExtents(
  client: NbdClient,
  sizeBytes: number,
  offset: number,
  length: number,
): Promise<Extent[]> {
  requireRange(sizeBytes, offset, length)
  const extents: Extent[] = []
  const end = offset + length
  let position = offset
  const told = client.info.allocationContextId !== undefined
  while (told && position < end && extents.length < LIMITS.extentsMax) {
    const answer = await client.blockStatus(
      position,
      Math.min(end - position, LIMITS.nbdBlockStatusRangeBytes),
    )
    for (const extent of answer) {
      appendExtent(extents, extent)
      position += extent.length
    }
  }
  if (position < end) appendExtent(extents, { offset: position, length: end - position, kind: 'data' })
  return extents
}
