import { tmpdir } from 'node:os'
import { DriverError } from '../domain/errors.ts'
import type { BlockDevice, BlockReader } from './device.ts'
import { directSpec } from './direct.ts'
import { type DeviceExport, serveDevice } from './export.ts'
import { openReader } from './reader.ts'

interface SourceOptions {
  readonly source: BlockDevice
  readonly signal: AbortSignal
  readonly socketDirectory?: string
}

/**
 * A plain file is read directly, all else over NBD from a qemu that lives as long as the reader: a confined one where a user wrote
 * the format.
 */
export async function openSource({
  source,
  signal,
  socketDirectory = tmpdir(),
}: SourceOptions): Promise<BlockReader> {
  const confined = source.untrusted === true
  const direct = directSpec(source)
  if (direct !== undefined && !confined) return openReader(direct)
  const server = await serveDevice(source, { socketDirectory, confined, signal })
  try {
    const reader = await openReader(server.spec)
    const close = async () => {
      await reader.close()
      await server.close()
    }
    return confined ? blamingTheImage({ ...reader, close }, server, signal) : { ...reader, close }
  } catch (error) {
    await server.close()
    throw error
  }
}

/**
 * What goes wrong on the way to a confined server is the image: it ran into a limit, crashed the format's code, or cannot be read
 * (qemu then drops the connection). A second try would end the same.
 */
function blamingTheImage(reader: BlockReader, server: DeviceExport, signal: AbortSignal): BlockReader {
  const explain = async (error: unknown): Promise<never> => {
    signal.throwIfAborted()
    const ended = await server.ended()
    if (ended !== undefined) {
      const message = `Expected an image that can be read within its limits of time and memory, got: ${ended.message}`
      throw new DriverError('invalid', message, { cause: error })
    }
    throw new DriverError('corrupt', 'Expected an image that can be read, but parts of it are damaged', {
      cause: error,
    })
  }
  return {
    ...reader,
    read: (buffer, offset) => reader.read(buffer, offset).catch(explain),
    extents: (offset, length) => reader.extents(offset, length).catch(explain),
  }
}
