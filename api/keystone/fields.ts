import { z } from 'zod'
import { IDENTITY_LIMITS } from '../../domain/identity-limits.ts'

/** What Keystone's bodies have in common. Fields that we do not know are left out, as clients of all years send some. */
const LINE = /^[^\p{Cc}\p{Cs}]*$/u

export const ID = z.string().min(1).max(IDENTITY_LIMITS.idLengthMax)
export const NAME = z
  .string()
  .trim()
  .min(1)
  .max(IDENTITY_LIMITS.nameLengthMax)
  .regex(LINE, 'to have no control characters')
export const TEXT = z.string().max(IDENTITY_LIMITS.textLengthMax).nullable()
export const NEW_PASSWORD = z
  .string()
  .min(IDENTITY_LIMITS.passwordLengthMin)
  .max(IDENTITY_LIMITS.passwordLengthMax)
/** Old ones may be of any length: they only have to be right. */
export const PASSWORD = z.string().max(IDENTITY_LIMITS.passwordLengthMax)

export const ID_PARAMS = z.object({ id: z.string() })

/** `?enabled` and `?enabled=True` as well. */
export const FLAG = z
  .string()
  .transform((text) => !/^(?:0|false|no|off)$/i.test(text))
  .exactOptional()

export const DOMAIN = z.object({ id: ID.exactOptional(), name: NAME.exactOptional() })
