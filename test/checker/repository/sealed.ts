/** Opens sealed objects: their layout is in docs/backup-format.md. */
import { createDecipheriv } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import { type KeySet, sessionKey } from './keys.ts'

const HEADER_BYTES = 44
const TAG_BYTES = 16
const PLAIN_MAX_BYTES = 64 * 1024 * 1024

/** The plain bytes of the object under `key`. Throws with what is wrong with it. */
export function openSealed(sealed: Buffer, key: string, repoId: string, keys: KeySet): Buffer {
  if (sealed.length < HEADER_BYTES + TAG_BYTES)
    throw new Error(`is ${sealed.length} bytes, too short for a header`)
  if (sealed.toString('latin1', 0, 4) !== 'VFBO') throw new Error('does not begin with VFBO')
  if (sealed[4] !== 1) throw new Error(`has format version ${sealed[4]}`)
  if (sealed.readUInt16LE(6) !== 0) throw new Error('has reserved bytes that are not zero')
  const codec = sealed[5] ?? -1
  const plainBytes = sealed.readUInt32LE(8)
  const encryptedBytes = sealed.readUInt32LE(12)
  const wantedBytes = HEADER_BYTES + encryptedBytes + TAG_BYTES
  if (sealed.length !== wantedBytes)
    throw new Error(`is ${sealed.length} bytes, its header says ${wantedBytes}`)
  if (plainBytes > PLAIN_MAX_BYTES) throw new Error(`claims ${plainBytes} plain bytes`)
  const decipher = createDecipheriv(
    'aes-256-gcm',
    sessionKey(keys, sealed.subarray(16, 32)),
    sealed.subarray(32, 44),
  )
  decipher.setAAD(Buffer.from(`volflow-backup|1|${repoId}|${key}|${codec}|${plainBytes}`))
  decipher.setAuthTag(sealed.subarray(HEADER_BYTES + encryptedBytes))
  const packed = decipher.update(sealed.subarray(HEADER_BYTES, HEADER_BYTES + encryptedBytes))
  try {
    decipher.final()
  } catch {
    throw new Error('is not authentic')
  }
  const plain = unpack(codec, packed)
  if (plain.length !== plainBytes)
    throw new Error(`has ${plain.length} plain bytes, its header says ${plainBytes}`)
  return plain
}

function unpack(codec: number, packed: Buffer): Buffer {
  if (codec === 0) return packed
  if (codec === 1) return zstdDecompressSync(packed, { maxOutputLength: PLAIN_MAX_BYTES })
  throw new Error(`has the unknown codec ${codec}`)
}
