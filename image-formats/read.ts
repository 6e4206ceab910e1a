import { DriverError } from '../domain/errors.ts'

/** An open file, or whatever else has its bytes at offsets. */
export interface ReadableFile {
  /** Fewer bytes than asked for: there are no more. */
  read(buffer: Buffer, at: number, length: number, position: number): Promise<{ bytesRead: number }>
}

/** What the file has from `offset` on, at most `length` bytes. */
export async function readUpTo(handle: ReadableFile, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

/** All of it, or `invalid`: the file has become shorter than the caller said. */
export async function readFully(handle: ReadableFile, offset: number, length: number): Promise<Buffer> {
  const bytes = await readUpTo(handle, offset, length)
  if (bytes.length === length) return bytes
  throw new DriverError('invalid', `Expected the file to reach ${offset + length} bytes, it ends before`)
}
