/**
 * Names in a pool. Cinder's: `volume-<id>` and `snapshot-<id>`. An image that is no volume any more, but has snapshots that are still
 * there, or clones of removed ones, is `volume-<id>.<why>`.
 */
import { randomBytes } from 'node:crypto'
import { checkedId, isId } from '../file/ids.ts'

const VOLUME = 'volume-'
const SNAPSHOT = 'snapshot-'
const STATES = ['content', 'aside', 'deleted', 'removed'] as const

export function volumeImage(volumeId: string): string {
  return `${VOLUME}${checkedId('volume', volumeId)}`
}

export function snapshotName(snapshotId: string): string {
  return `${SNAPSHOT}${checkedId('snapshot', snapshotId)}`
}

export function snapshotIdOf(name: string): string | undefined {
  const id = name.startsWith(SNAPSHOT) ? name.slice(SNAPSHOT.length) : ''
  return isId(id) ? id : undefined
}

/** Out of the way of everybody, for a person to look at; its snapshots stay where they were. */
export function asideImage(volumeId: string): string {
  return `${volumeImage(volumeId)}.aside-${Date.now()}`
}

/** What a revert puts in the place of the volume. */
export function contentImage(volumeId: string, contentId: string): string {
  return `${volumeImage(volumeId)}.content-${checkedId('volume', contentId)}`
}

/** The image has the volume's snapshots; another one, which was called after `contentId`, has its bytes. */
export function replacedImage(volumeId: string, contentId: string): string {
  return `${volumeImage(volumeId)}.${checkedId('volume', contentId)}`
}

/** The volume is gone, its snapshots are not. */
export function deletedImage(volumeId: string): string {
  return `${volumeImage(volumeId)}.deleted-${randomBytes(6).toString('hex')}`
}

/** Everything is gone but clones of its snapshots. It is in the trash, and is removed when they are. */
export function removedImage(volumeId: string): string {
  return `${volumeImage(volumeId)}.removed-${randomBytes(6).toString('hex')}`
}

/** Not one of ours any more. */
export function unmanagedImage(volumeId: string): string {
  return `unmanaged-${checkedId('volume', volumeId)}`
}

export interface ImageName {
  readonly name: string
  readonly volumeId: string
  /** `volume`: its bytes are the volume's. */
  readonly state: 'volume' | 'replaced' | (typeof STATES)[number]
  readonly contentId?: string
}

/** Undefined: not one of ours. */
export function parseImage(name: string): ImageName | undefined {
  if (!name.startsWith(VOLUME)) return undefined
  const [volumeId = '', why, ...more] = name.slice(VOLUME.length).split('.')
  if (!isId(volumeId) || more.length > 0) return undefined
  if (why === undefined) return { name, volumeId, state: 'volume' }
  if (isId(why)) return { name, volumeId, state: 'replaced', contentId: why }
  const state = STATES.find((one) => why.startsWith(`${one}-`))
  return state === undefined ? undefined : { name, volumeId, state }
}
