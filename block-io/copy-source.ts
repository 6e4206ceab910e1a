import { tmpdir } from 'node:os'
import { DriverError } from '../domain/errors.ts'
import type { Blockdev, BlockDevice, Extent } from './device.ts'
import { type DeviceExport, serveDevice } from './export.ts'
import { mapBlockdev } from './map.ts'
import { openReader } from './reader.ts'

/** How a copy reaches its source. */
export interface CopySource {
  /** For qemu. */
  readonly blockdev: Blockdev
  extents(offset: number, length: number): Promise<Extent[]>
  /** The error to throw instead, when the source has a better reason for it. */
  explain(error: unknown): Promise<unknown>
  close(): Promise<void>
}

/** A trusted source is opened by qemu directly; an untrusted one only by a confined server, for the length of the copy. */
export async function openSource(options: {
  source: BlockDevice
  signal: AbortSignal
  socketDirectory?: string
}): Promise<CopySource> {
  const { source, signal, socketDirectory = tmpdir() } = options
  if (source.untrusted !== true) {
    return {
      blockdev: source.blockdev,
      extents: (offset, length) => mapBlockdev(source.blockdev, offset, length, { signal }),
      explain: async (error) => error,
      close: async () => undefined,
    }
  }
  const server = await serveDevice(source, { socketDirectory, confined: true, signal })
  try {
    const reader = await openReader(server.reader)
    return {
      blockdev: server.blockdev,
      extents: (offset, length) => reader.extents(offset, length),
      explain: (error) => explain(error, server, signal),
      close: async () => {
        await reader.close()
        await server.close()
      },
    }
  } catch (error) {
    const explained = await explain(error, server, signal)
    await server.close()
    throw explained
  }
}

/** What ends a confined server is the image: it ran into a limit or crashed the format's code. A second try would end the same. */
async function explain(error: unknown, server: DeviceExport, signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return signal.reason
  const ended = await server.ended()
  if (ended !== undefined) {
    const message = `Expected an image that can be read within its limits of time and memory, got: ${ended.message}`
    return new DriverError('invalid', message, { cause: error })
  }
  if (error instanceof DriverError && /error while reading/.test(error.message)) {
    return new DriverError('corrupt', error.message, { cause: error })
  }
  return error
}
