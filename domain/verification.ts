/**
 * How closely a backup is looked at. `presence`: all its objects are there. `content`: each chunk is fetched, authenticated, decrypted and
 * hashed again. `restore`: it is restored to a volume for the purpose, which is read and compared. `quarantined`: as `content`, for what an
 * earlier verification found damaged. (A checksum alone would save nothing: fetching is what takes the time, and the key is at hand.)
 */
export const VERIFY_LEVELS = ['presence', 'content', 'restore', 'quarantined'] as const
export type VerifyLevel = (typeof VERIFY_LEVELS)[number]

export interface Verification {
  readonly level: VerifyLevel
  /** Of the chunks, 1 to 100, a different choice each time. */
  readonly samplePercent: number
}

/** What users read with a backup that is damaged. `damage`: what exactly, where a verification could tell and nothing heals it. */
export function damageReason(damagedObjects: number, damage?: string): string {
  const found = `${damagedObjects} of its objects are damaged or missing`
  return damage === undefined
    ? `${found}. A backup of the volume heals what the volume still has.`
    : `${found}: ${damage}`
}
