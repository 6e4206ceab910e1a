/**
 * A volume that rests may be promised to somebody who will connect to it, or has offered to give it away. Its row's status says
 * `available` or `in-use` all the same; Cinder's clients see the claim.
 */
export const VOLUME_CLAIMS = ['reserved', 'attaching', 'detaching', 'awaiting-transfer', 'retyping'] as const
export type VolumeClaim = (typeof VOLUME_CLAIMS)[number]

const RESTING = new Set(['available', 'in-use'])

/** What a volume is for whoever wants to do something with it. */
export function claimedStatus({ status, claim }: { status: string; claim: string | null }): string {
  // Of a retype that has to move the volume, `maintenance` is the moving.
  const isClaimed = RESTING.has(status) || (claim === 'retyping' && status === 'maintenance')
  return claim !== null && isClaimed ? claim : status
}

export function isClaim(status: string): status is VolumeClaim {
  return (VOLUME_CLAIMS as readonly string[]).includes(status)
}
