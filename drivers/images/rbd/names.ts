/**
 * Names in a pool of images. Glance's: the image is called by its id, and what is read and cloned is its snapshot `snap`. What is
 * no image yet, or none any more, is `<id>.<why>`.
 */
import { randomBytes } from 'node:crypto'
import { checkedId, isId } from '../../volumes/file/ids.ts'
import type { Draft } from '../driver.ts'

export const SNAPSHOT = 'snap'
const STAGE = 'stage'
const DERIVED = 'raw'
const STATES = ['upload', 'removed', 'aside'] as const

export function imageName(imageId: string): string {
  return checkedId('image', imageId)
}

/** All bytes are there; nobody may read them yet. */
export function stageName(imageId: string): string {
  return `${imageName(imageId)}.${STAGE}`
}

/** The raw bytes of the disk in it. */
export function derivedName(imageId: string): string {
  return `${imageName(imageId)}.${DERIVED}`
}

/** While they are made. */
export function draftName({ imageId, draftId }: Draft): string {
  return `${derivedName(imageId)}-${checkedId('draft', draftId)}`
}

/** While bytes arrive. Each attempt has its own, so a writer that was thought dead spoils nothing. */
export function uploadName(imageId: string): string {
  return `${imageName(imageId)}.upload-${randomBytes(6).toString('hex')}`
}

/** Gone for everybody but those who still read it, or its clones. `name`: an image's, or what is derived from it. */
export function removedName(name: string): string {
  return `${name}.removed-${randomBytes(6).toString('hex')}`
}

/** Out of the way, for a person to look at. */
export function asideName(name: string): string {
  return `${name}.aside-${Date.now()}`
}

export interface StoredName {
  readonly name: string
  readonly imageId: string
  readonly state: 'image' | 'stage' | 'derived' | 'draft' | (typeof STATES)[number]
  /** Whose draft it is. */
  readonly draftId?: string
}

/** Undefined: not one of ours. */
export function parseName(name: string): StoredName | undefined {
  const [imageId = '', why, ...more] = name.split('.')
  if (!isId(imageId)) return undefined
  if (why === undefined) return { name, imageId, state: 'image' }
  if (why === STAGE && more.length === 0) return { name, imageId, state: 'stage' }
  if (why === DERIVED && more.length === 0) return { name, imageId, state: 'derived' }
  const draftId = more.length === 0 && why.startsWith(`${DERIVED}-`) ? why.slice(DERIVED.length + 1) : ''
  if (isId(draftId)) return { name, imageId, state: 'draft', draftId }
  const last = more.at(-1) ?? why
  const state = STATES.find((one) => last.startsWith(`${one}-`))
  return state === undefined ? undefined : { name, imageId, state }
}
