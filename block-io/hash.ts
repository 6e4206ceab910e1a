import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { LIMITS } from '../domain/limits.ts'
import type { BlockDevice, BlockReader } from './device.ts'
import { directSpec } from './direct.ts'
import { serveDevice } from './export.ts'
import { openReader } from './reader.ts'

export interface HashOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (doneBytes: number) => void
  readonly socketDirectory?: string
}

/** SHA-256 of the whole content, zeroes included, lower-case hex. Holes are not read. Throws DriverError or the signal's reason. */
export async function sha256OfDevice(device: BlockDevice, options: HashOptions = {}): Promise<string> {
  const { signal, socketDirectory = tmpdir() } = options
  const direct = directSpec(device)
  if (direct !== undefined) return sha256OfReader(await openReader(direct), options)
  const server = await serveDevice(device, {
    socketDirectory,
    confined: device.untrusted === true,
    ...(signal && { signal }),
  })
  try {
    return await sha256OfReader(await openReader(server.spec), options)
  } finally {
    await server.close()
  }
}

async function sha256OfReader(reader: BlockReader, options: HashOptions): Promise<string> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(LIMITS.chunkBytes)
  const zeroes = Buffer.alloc(LIMITS.chunkBytes)
  try {
    for (const extent of await reader.extents(0, reader.sizeBytes)) {
      for (let done = 0; done < extent.length; done += buffer.length) {
        options.signal?.throwIfAborted()
        const length = Math.min(buffer.length, extent.length - done)
        const piece = (extent.kind === 'zero' ? zeroes : buffer).subarray(0, length)
        if (extent.kind === 'data') await reader.read(piece, extent.offset + done)
        hash.update(piece)
        options.onProgress?.(extent.offset + done + length)
      }
    }
    return hash.digest('hex')
  } finally {
    await reader.close()
  }
}
