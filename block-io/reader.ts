import { type FileHandle, open } from 'node:fs/promises'
import { DriverError } from '../domain/errors.ts'
import type { BlockReader, Extent, DeviceSpec } from './device.ts'
import { fileError, requireRange } from './file-errors.ts'
import { openNbdReader } from './nbd/reader.ts'

/** Opens the bytes that the spec names, in any thread. Throws DriverError, `transient` when there is no such file: a moment ago there was. */
export async function openReader(spec: DeviceSpec): Promise<BlockReader> {
  if (spec.kind === 'nbd') return openNbdReader(spec)
  return new FileReader(spec.path, await open(spec.path, 'r').catch(fileError), spec.sizeBytes)
}

class FileReader implements BlockReader {
  readonly sizeBytes: number
  readonly #path: string
  readonly #file: FileHandle

  constructor(path: string, file: FileHandle, sizeBytes: number) {
    this.#path = path
    this.#file = file
    this.sizeBytes = sizeBytes
  }

  async read(buffer: Uint8Array, offset: number): Promise<void> {
    requireRange(this.sizeBytes, offset, buffer.length)
    for (let filled = 0; filled < buffer.length;) {
      const { bytesRead } = await this.#file
        .read(buffer, filled, buffer.length - filled, offset + filled)
        .catch(fileError)
      if (bytesRead === 0) {
        throw new DriverError(
          'corrupt',
          `Expected ${this.sizeBytes} bytes, the file ends at ${offset + filled}`,
        )
      }
      filled += bytesRead
    }
  }

  async extents(offset: number, length: number): Promise<Extent[]> {
    requireRange(this.sizeBytes, offset, length)
    if (length === 0) return []
    // Worker threads only read: what starts programs takes them longer to load than all the rest.
    const { mapBlockdev } = await import('./map.ts')
    return mapBlockdev({ driver: 'raw', file: { driver: 'file', filename: this.#path } }, offset, length)
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined)
  }
}
