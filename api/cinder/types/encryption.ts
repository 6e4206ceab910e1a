import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { changeEncryption } from '../../../database/cinder/type-changes.ts'
import { requireVolumeType, type VolumeTypeRow } from '../../../database/cinder/types.ts'
import { RequestError } from '../../../domain/errors.ts'
import type { ApiContext, App } from '../../context.ts'
import { ID_PARAMS, KEY_PARAMS, NAME, REFERENCE } from '../fields.ts'
import { cinderTime } from '../times.ts'

const FIELDS = {
  cipher: NAME,
  key_size: z.int().min(1).max(8192).nullish(),
}
const CREATE = z.strictObject({
  encryption: z.strictObject({
    ...FIELDS,
    provider: REFERENCE,
    control_location: z.enum(['front-end', 'back-end']),
  }),
})
const UPDATE = z.strictObject({
  encryption: z.strictObject({
    ...FIELDS,
    provider: REFERENCE.exactOptional(),
    control_location: z.enum(['front-end', 'back-end']).exactOptional(),
  }),
})

interface Encryption {
  readonly encryption_id: string
  readonly provider: string
  readonly control_location: string
  readonly cipher: string | null
  readonly key_size: number | null
  readonly created_at: string
  readonly updated_at: string | null
}

const ADMIN = { rule: 'admin' } as const
const tags = ['types']

/** How volumes of a type shall be encrypted: a record. Our backends do not encrypt, so no volume is made of such a type. */
export function typeEncryptionRoutes(app: App, context: ApiContext): void {
  const { database } = context
  app.get(
    '/types/:id/encryption',
    { config: ADMIN, schema: { tags, summary: 'Show the encryption of a type', params: ID_PARAMS } },
    async (request) => {
      const type = await requireVolumeType(database, request.params.id, undefined)
      const encryption = encryptionOf(type)
      return encryption === undefined ? {} : view(type, encryption)
    },
  )
  app.get(
    '/types/:id/encryption/:key',
    { config: ADMIN, schema: { tags, summary: 'Show one field of it', params: KEY_PARAMS } },
    async (request) => {
      const { id, key } = request.params
      const type = await requireVolumeType(database, id, undefined)
      const fields: Readonly<Record<string, unknown>> = view(type, requireEncryption(type))
      if (Object.hasOwn(fields, key)) return { [key]: fields[key] }
      throw new RequestError(404, 'fieldNotFound', `Volume type encryption has no field ${key}.`)
    },
  )
  changeRoutes(app, context)
}

function changeRoutes(app: App, { database }: ApiContext): void {
  app.post(
    '/types/:id/encryption',
    { config: ADMIN, schema: { tags, summary: 'Ask for encryption', params: ID_PARAMS, body: CREATE } },
    async (request) => {
      const { cipher, key_size, ...given } = request.body.encryption
      const encryption: Encryption = {
        encryption_id: randomUUID(),
        ...given,
        cipher: cipher ?? null,
        key_size: key_size ?? null,
        created_at: new Date().toISOString(),
        updated_at: null,
      }
      const type = await changeEncryption(database, request.params.id, (row, isUsed) => {
        if (row.encryption !== null)
          throw new RequestError(409, 'alreadyExists', `Volume type ${row.id} has an encryption already.`)
        refuseUsed(isUsed)
        return encryption
      })
      return { encryption: summary(type, encryption) }
    },
  )
  app.put(
    '/types/:id/encryption/:key',
    { config: ADMIN, schema: { tags, summary: 'Change it', params: KEY_PARAMS, body: UPDATE } },
    async (request) => {
      await changeEncryption(database, request.params.id, (row, isUsed) => {
        const encryption = requireEncryption(row, request.params.key)
        refuseUsed(isUsed)
        return { ...encryption, ...request.body.encryption, updated_at: new Date().toISOString() }
      })
      return request.body
    },
  )
  app.delete(
    '/types/:id/encryption/:key',
    { config: ADMIN, schema: { tags, summary: 'Ask for none', params: KEY_PARAMS } },
    async (request, reply) => {
      await changeEncryption(database, request.params.id, (row, isUsed) => {
        requireEncryption(row, request.params.key)
        refuseUsed(isUsed)
        return null
      })
      return reply.code(202).send()
    },
  )
}

function encryptionOf({ encryption }: VolumeTypeRow): Encryption | undefined {
  return encryption === null ? undefined : (JSON.parse(encryption) as Encryption)
}

/** Clients name the record by its id, or by the word `provider`. */
function requireEncryption(row: VolumeTypeRow, id?: string): Encryption {
  const encryption = encryptionOf(row)
  const isMeant = id === undefined || id === 'provider' || id === encryption?.encryption_id
  if (encryption !== undefined && isMeant) return encryption
  throw new RequestError(
    404,
    'encryptionNotFound',
    `Volume type encryption for type ${row.id} does not exist.`,
  )
}

function refuseUsed(isUsed: boolean): void {
  if (isUsed)
    throw new RequestError(400, 'volumeTypeInUse', 'Cannot change encryption specs. Volume type in use.')
}

function summary({ id }: VolumeTypeRow, encryption: Encryption) {
  const { encryption_id, provider, control_location, cipher, key_size } = encryption
  return { volume_type_id: id, encryption_id, provider, control_location, cipher, key_size }
}

function view(type: VolumeTypeRow, encryption: Encryption) {
  return {
    ...summary(type, encryption),
    created_at: cinderTime(encryption.created_at),
    updated_at: cinderTime(encryption.updated_at),
    deleted_at: null,
    deleted: false,
  }
}
