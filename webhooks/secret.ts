import { createHash, hkdfSync } from 'node:crypto'

const SECRET_BYTES = 32
/** Enough to tell secrets apart, and no help in guessing one of 256 bits. */
const FINGERPRINT_LENGTH = 16

/**
 * The secret of a webhook, as its receiver gets it: `whsec_` and base64. It is derived from the installation's key each time, so that
 * nothing secret is stored, and a webhook's next secret says nothing about the one before.
 */
export function webhookSecret(key: Uint8Array, webhookId: string, generation: number): string {
  const secret = hkdfSync('sha256', key, '', `volflow webhook ${webhookId} ${generation}`, SECRET_BYTES)
  return `whsec_${Buffer.from(secret).toString('base64')}`
}

/** Names a secret without telling it. */
export function secretFingerprint(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, FINGERPRINT_LENGTH)
}
