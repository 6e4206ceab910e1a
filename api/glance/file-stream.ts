import { close, open, read } from 'node:fs'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { LIMITS } from '../../domain/limits.ts'
import type { ByteRange } from './byte-range.ts'

/** One on its way to the client, two that wait for it, one that is being read. */
const BUFFERS = 4

/**
 * A file's bytes for a response, in buffers that are used again: new ones for every piece keep the garbage collector busier than the
 * disk. Only for who lets go of a piece before it takes the next but two, as a response does: it is paused while anything of a piece
 * is left. Opened here: a file that is deleted meanwhile is read to its end.
 */
export async function streamFile(path: string, { start, end }: ByteRange): Promise<Readable> {
  const file = await promisify(open)(path, 'r')
  const buffers = Array.from({ length: BUFFERS }, () => Buffer.allocUnsafeSlow(LIMITS.uploadBlockBytes))
  let position = start
  let pieces = 0
  return new Readable({
    highWaterMark: LIMITS.uploadBlockBytes,
    read() {
      const buffer = buffers[pieces % BUFFERS] ?? Buffer.alloc(0)
      pieces += 1
      const length = Math.min(buffer.length, end - position)
      if (length === 0) this.push(null)
      else
        read(file, buffer, 0, length, position, (error, bytesRead) => {
          position += bytesRead
          if (error !== null) this.destroy(error)
          else if (bytesRead > 0) this.push(buffer.subarray(0, bytesRead))
          else this.destroy(new Error(`Expected ${path} to have ${end} bytes, it ends at ${position}`))
        })
    },
    destroy(error, done) {
      close(file, (closing) => done(error ?? closing ?? null))
    },
  })
}
