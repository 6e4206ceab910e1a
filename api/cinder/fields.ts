import { z } from 'zod'
import { LIMITS } from '../../domain/limits.ts'
import { quoted } from '../validation-message.ts'
import { Fault } from './fault.ts'

/** What Python's clients write for truth, in queries and in bodies. */
const TRUE = new Set(['true', '1', 'yes', 'on', 't', 'y'])
const FALSE = new Set(['false', '0', 'no', 'off', 'f', 'n'])

export function booleanOf(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  const word =
    typeof value === 'string' || typeof value === 'number' ? String(value).trim().toLowerCase() : ''
  if (TRUE.has(word)) return true
  if (FALSE.has(word)) return false
  throw new Fault(400, `Expected ${name} to be true or false, got ${quoted(value)}.`)
}

/** No half surrogate pairs and no NUL, which SQL cannot keep. */
const TEXT = /^[^\p{Cs}\0]*$/u
const NO_NUL = 'to be text without NUL'

export const BOOLEAN = z.union([z.boolean(), z.string().max(10), z.literal(0), z.literal(1)])
/** A name or a description, which may be empty, or null. */
export const NAME = z.string().max(LIMITS.nameLengthMax).regex(TEXT, NO_NUL).nullish()
/** Of something that must be there: never an empty one. */
export const REFERENCE = z.string().min(1).max(LIMITS.nameLengthMax).regex(TEXT, NO_NUL)
export const OPTIONAL_REFERENCE = z.string().max(LIMITS.nameLengthMax).regex(TEXT, NO_NUL).nullish()

const KEY = z.string().min(1).max(LIMITS.nameLengthMax).regex(TEXT, NO_NUL)
const VALUE = z.string().max(LIMITS.metadataValueLengthMax).regex(TEXT, NO_NUL)
export const METADATA = z
  .record(KEY, VALUE)
  .refine((metadata) => Object.keys(metadata).length <= LIMITS.metadataEntriesMax, {
    error: `at most ${LIMITS.metadataEntriesMax} entries`,
  })
export const META_VALUE = VALUE
export const OPTIONAL_METADATA = METADATA.nullish()

/** GiB; Python's clients also send it as text. */
export const SIZE_GIB = z.union([z.int().min(1), z.string().regex(/^[1-9]\d{0,8}$/, 'to be a whole number')])

export const ID_PARAMS = z.object({ id: z.string().min(1).max(LIMITS.nameLengthMax) })
export const NAME_PARAMS = z.object({ name: z.string().min(1).max(LIMITS.nameLengthMax) })
export const KEY_PARAMS = z.object({
  id: z.string().min(1).max(LIMITS.nameLengthMax),
  key: z.string().min(1).max(LIMITS.nameLengthMax),
})

/** Leaves out what is null, undefined or an empty text: for Cinder's clients these are the same. */
export function given<T extends string | number>(value: T | '' | null | undefined): T | undefined {
  return value === null || value === undefined || value === '' ? undefined : value
}
