import { z } from 'zod'
import { DISK_FORMATS } from '../../domain/disk-formats.ts'
import { RequestError } from '../../domain/errors.ts'
import { IMAGE_LIMITS } from '../../domain/image-limits.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { ImageChange } from '../../database/images/change.ts'
import { HttpError } from '../http-error.ts'
import { checked } from './bodies.ts'

const NO_CONTROL = /^(?:[^\p{Cc}\p{Cs}]|[\n\t\r])*$/u
export const TEXT = z
  .string()
  .max(LIMITS.nameLengthMax)
  .regex(NO_CONTROL, { error: 'to have no control characters' })
export const TAG = z
  .string()
  .min(1)
  .max(IMAGE_LIMITS.tagLengthMax)
  .regex(NO_CONTROL, { error: 'to have no control characters' })

export const VISIBILITIES = ['public', 'community', 'shared', 'private'] as const
export const CONTAINER_FORMATS = ['bare'] as const
const PROPERTY = z
  .string()
  .max(IMAGE_LIMITS.propertyValueLengthMax)
  .regex(NO_CONTROL, { error: 'to have no control characters' })
const PROJECT = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/)

/** What users may set, besides properties of their own. */
const FIELDS = {
  name: field(TEXT.nullable(), (name) => ({ name })),
  visibility: field(z.enum(VISIBILITIES), (visibility) => ({ visibility })),
  protected: field(z.boolean(), (value) => ({ protected: value ? 1 : 0 })),
  os_hidden: field(z.boolean(), (value) => ({ osHidden: value ? 1 : 0 })),
  tags: field(z.array(TAG), (tags) => ({ tags: fewTags(tags) })),
  min_disk: field(z.int().min(0).max(IMAGE_LIMITS.minDiskMaxGiB), (minDisk) => ({ minDisk })),
  min_ram: field(z.int().min(0).max(IMAGE_LIMITS.minRamMaxMiB), (minRam) => ({ minRam })),
  disk_format: field(z.enum(DISK_FORMATS).nullable(), (diskFormat) => ({ diskFormat })),
  container_format: field(z.enum(CONTAINER_FORMATS).nullable(), (containerFormat) => ({ containerFormat })),
  owner: field(PROJECT, (projectId) => ({ projectId })),
} as const

const READ_ONLY = [
  ...['created_at', 'updated_at', 'status', 'checksum', 'size', 'virtual_size', 'os_hash_algo'],
  ...['os_hash_value', 'direct_url', 'self', 'file', 'schema', 'stores', 'id'],
]
const RESERVED = ['location', 'deleted', 'deleted_at']

interface Field {
  readonly change: (name: string, value: unknown) => ImageChange
}

function field<T>(schema: z.ZodType<T>, change: (value: T) => ImageChange): Field {
  return {
    change: (name, value) =>
      change(checked('the image', z.object({ [name]: schema }), { [name]: value })[name] as T),
  }
}

export function isField(name: string): name is keyof typeof FIELDS {
  return Object.hasOwn(FIELDS, name)
}

/** Throws RequestError 400, or HttpError 413 for too many tags. */
export function fieldChange(name: keyof typeof FIELDS, value: unknown): ImageChange {
  return FIELDS[name].change(name, value)
}

/** Throws RequestError 400 for what no property can be. */
export function propertyValue(name: string, value: unknown): string {
  if (name === '' || name.length > IMAGE_LIMITS.propertyNameLengthMax || !NO_CONTROL.test(name)) {
    throw new RequestError(
      400,
      'invalidProperty',
      `Expected names of properties to have 1 to ${IMAGE_LIMITS.propertyNameLengthMax} characters, and no control characters.`,
    )
  }
  return checked('the image', z.object({ [name]: PROPERTY }), { [name]: value })[name] as string
}

/** Throws RequestError 403 for what is not the user's to say. */
export function refuseReadOnly(name: string): void {
  if (READ_ONLY.includes(name)) throw new RequestError(403, 'readOnly', `Attribute '${name}' is read-only.`)
  if (RESERVED.includes(name) || name.startsWith('os_glance')) {
    throw new RequestError(403, 'reserved', `Attribute '${name}' is reserved.`)
  }
  if (name === 'locations') {
    throw new RequestError(403, 'locationsOff', 'Locations of images are neither shown nor taken here.')
  }
}

/** What only an administrator may set, as Glance's default policy has it. */
export function refuseAdminOnly(
  name: string,
  value: unknown,
  caller: { isAdmin: boolean; projectId: string },
): void {
  if (caller.isAdmin) return
  if (name === 'visibility' && value === 'public') {
    throw new RequestError(403, 'forbidden', 'Expected an administrator to make an image public.')
  }
  if (name === 'owner' && value !== caller.projectId) {
    throw new RequestError(403, 'forbidden', "Owner can't be updated by non admin.")
  }
}

export function fewProperties(properties: ReadonlyMap<string, string>): Record<string, string> {
  if (properties.size <= IMAGE_LIMITS.propertiesMax) return Object.fromEntries(properties)
  throw new HttpError(
    413,
    'tooManyProperties',
    `Expected at most ${IMAGE_LIMITS.propertiesMax} properties of an image.`,
  )
}

function fewTags(tags: readonly string[]): readonly string[] {
  const different = [...new Set(tags)]
  if (different.length <= IMAGE_LIMITS.tagsMax) return different
  throw new HttpError(413, 'tooManyTags', `Expected at most ${IMAGE_LIMITS.tagsMax} tags of an image.`)
}
