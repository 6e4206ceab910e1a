import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import { rbd } from './commands.ts'
import { type RbdPlace, specOf } from './place.ts'

const MAPS = ['object-map', 'fast-diff']

export function isMap(feature: string): boolean {
  return MAPS.includes(feature)
}

/** Gives the image maps of its objects that it does not have, and makes those that it has true. */
export async function addMaps(place: RbdPlace, image: string, missing: readonly string[]): Promise<void> {
  if (missing.length > 0) await rbd(place, ['feature', 'enable', specOf(place, image), ...missing])
  await rbd(place, ['object-map', 'rebuild', '--no-progress', specOf(place, image)], {
    timeoutMs: RBD_LIMITS.rbdFlattenMs,
  })
}
