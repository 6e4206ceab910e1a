import { createHash } from 'node:crypto'
import { DriverError } from '../../domain/errors.ts'
import { decode } from './decode.ts'
import type { PlacedObject } from './volume-map.ts'
import type { CinderStore } from './store.ts'

/**
 * The volume's bytes of an object, in order, in pieces of `pieceBytes` (the last may be shorter) that are only good until the next is
 * asked for. Length and md5 are what the metadata say, or it ends with `corrupt`: by then the pieces have been handed
 * out, so whoever wrote them must not let them stand.
 */
export async function* readChunk(
  store: CinderStore,
  object: PlacedObject,
  pieceBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { name, length } = object
  const stored = await store.get(`${object.location.folder}${name}`, { signal })
  if (stored === undefined) throw new DriverError('corrupt', `Expected object ${name}, it is not there`)
  const md5 = createHash('md5')
  const piece = Buffer.allocUnsafe(Math.min(pieceBytes, length))
  let filled = 0
  let total = 0
  for await (const decoded of decode(stored, object.compression, name)) {
    signal.throwIfAborted()
    total += decoded.length
    // Without this an object of a few kilobytes could become any number of gigabytes.
    if (total > length) throw wrong(name, `${length} bytes`, 'more')
    md5.update(decoded)
    for (let at = 0; at < decoded.length;) {
      const copied = decoded.copy(piece, filled, at)
      filled += copied
      at += copied
      if (filled < piece.length) continue
      yield piece
      filled = 0
    }
  }
  if (total < length) throw wrong(name, `${length} bytes`, String(total))
  const found = md5.digest('hex')
  if (found !== object.md5) throw wrong(name, `the md5 ${object.md5}`, found)
  if (filled > 0) yield piece.subarray(0, filled)
}

function wrong(name: string, expected: string, got: string): DriverError {
  return new DriverError('corrupt', `Expected object ${name} to become ${expected}, got ${got}`)
}
