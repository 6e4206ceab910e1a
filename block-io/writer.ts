import { type FileHandle, open } from 'node:fs/promises'
import { LIMITS } from '../domain/limits.ts'
import type { BlockWriter, DeviceSpec } from './device.ts'
import { fileError, requireRange } from './file-errors.ts'
import { openNbdWriter } from './nbd/reader.ts'

/** Opens what exists for writing within its size, in any thread. Throws DriverError. */
export async function openWriter(target: DeviceSpec): Promise<BlockWriter> {
  if (target.kind === 'nbd') return openNbdWriter(target)
  return new FileWriter(target.path, await open(target.path, 'r+').catch(fileError), target.sizeBytes)
}

class FileWriter implements BlockWriter {
  readonly sizeBytes: number
  readonly #path: string
  readonly #file: FileHandle

  constructor(path: string, file: FileHandle, sizeBytes: number) {
    this.#path = path
    this.#file = file
    this.sizeBytes = sizeBytes
  }

  async write(buffer: Uint8Array, offset: number): Promise<void> {
    requireRange(this.sizeBytes, offset, buffer.length)
    for (let written = 0; written < buffer.length;) {
      const { bytesWritten } = await this.#file
        .write(buffer, written, buffer.length - written, offset + written)
        .catch(fileError)
      written += bytesWritten
    }
  }

  /**
   * A short range is written; a long one becomes a hole, which reads as zeroes at once, frees the space, and costs one process
   * (Node has no fallocate) instead of the writing. File systems without holes get the zeroes written.
   */
  async writeZeroes(offset: number, length: number): Promise<void> {
    requireRange(this.sizeBytes, offset, length)
    if (length >= LIMITS.holeMinBytes && (await this.#punchHole(offset, length))) return
    const zeroes = Buffer.alloc(Math.min(length, LIMITS.holeMinBytes))
    for (let done = 0; done < length; done += zeroes.length) {
      await this.write(zeroes.subarray(0, Math.min(zeroes.length, length - done)), offset + done)
    }
  }

  async flush(): Promise<void> {
    await this.#file.datasync().catch(fileError)
  }

  async close(): Promise<void> {
    await this.#file.close().catch(fileError)
  }

  async #punchHole(offset: number, length: number): Promise<boolean> {
    // See reader.ts: worker threads hardly ever come here.
    const { runProcess } = await import('./process.ts')
    try {
      await runProcess('fallocate', ['--punch-hole', `--offset=${offset}`, `--length=${length}`, this.#path])
      return true
    } catch {
      return false
    }
  }
}
