/**
 * The envelope without compression and encryption, which take nine tenths of the time and are no part of the protocol: an object
 * still opens under its own key alone, and two objects with the same content are not the same bytes.
 */
import type { Sealer } from '../../../backup-format/envelope.ts'
import { DriverError } from '../../../domain/errors.ts'
import { randomBytes } from './seeded-crypto.ts'

export * from '../../../backup-format/envelope.ts'

export function sealedMaxBytes(plainBytes: number): number {
  return 256 + plainBytes
}

export function createSealer(): Sealer {
  return {
    seal: (key, plain) => Buffer.concat([Buffer.from(`${key}\n`), randomBytes(4), plain]),
    open: (kind, key, bytes) => {
      const object = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      if (object.toString('latin1', 0, key.length + 1) === `${key}\n`) return object.subarray(key.length + 5)
      throw new DriverError('corrupt', `Expected ${kind} ${key} to be what was sealed under this key`)
    },
  }
}
