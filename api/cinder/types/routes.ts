import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { type Condition, listRows } from '../../../database/cinder/list.ts'
import {
  createVolumeType,
  deleteVolumeType,
  updateVolumeType,
} from '../../../database/cinder/type-changes.ts'
import { defaultVolumeType, visibleTypeIds } from '../../../database/cinder/types.ts'
import type { ApiContext, App } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'
import { Fault } from '../fault.ts'
import { BOOLEAN, booleanOf, ID_PARAMS, METADATA, NAME, REFERENCE } from '../fields.ts'
import { equals, hasEntries, type ListKind, parseListQuery, queryOf } from '../list-query.ts'
import { pageOf } from '../pages.ts'
import { typeAccessRoutes } from './access.ts'
import { typeEncryptionRoutes } from './encryption.ts'
import { extraSpecRoutes } from './extra-specs.ts'
import { changedTypeView, newTypeView, typeView, visibleType } from './view.ts'

const CREATE = z.strictObject({
  volume_type: z.looseObject({
    name: REFERENCE,
    description: NAME,
    extra_specs: METADATA.nullish(),
    'os-volume-type-access:is_public': BOOLEAN.nullish(),
  }),
})

const UPDATE = z.strictObject({
  volume_type: z.strictObject({
    name: REFERENCE.nullish(),
    description: NAME,
    is_public: BOOLEAN.nullish(),
  }),
})

const TYPES: ListKind = {
  table: 'volumeTypes',
  sortColumns: {
    ...{ id: 'id', name: 'name', created_at: 'createdAt', updated_at: 'updatedAt' },
    ...{ description: 'description', is_public: 'isPublic' },
  },
  filters: { name: equals('name'), is_public: () => [], extra_specs: hasEntries('extraSpecs') },
  filterSince: { extra_specs: 52 },
}

const ADMIN = { rule: 'admin' } as const
const tags = ['types']

export function typeRoutes(app: App, context: ApiContext): void {
  const { database } = context
  app.get('/types', { schema: { tags, summary: 'List volume types' } }, async (request) => {
    const query = parseListQuery(request, TYPES)
    const { projectId: _, ...listing } = query.listing
    const where = [...listing.where, ...(await visible(context, request))]
    const rows = await listRows(database, 'volumeTypes', { ...listing, where })
    const items = rows.map((row) => typeView(request, row))
    return pageOf(context, request, 'volume_types', { query, rows, items, count: async () => rows.length })
  })
  app.get('/types/default', { schema: { tags, summary: 'Show the default type' } }, async (request) => ({
    volume_type: typeView(request, await defaultVolumeType(database, callerOf(request).projectId)),
  }))
  app.get(
    '/types/:id',
    { schema: { tags, summary: 'Show a volume type', params: ID_PARAMS } },
    async (request) => ({ volume_type: typeView(request, await visibleType(context, request)) }),
  )
  changeRoutes(app, context)
  extraSpecRoutes(app, context)
  typeAccessRoutes(app, context)
  typeEncryptionRoutes(app, context)
}

/** Administrators see the public ones, too, unless they ask with `None` for all. */
async function visible({ database }: ApiContext, request: FastifyRequest): Promise<Condition[]> {
  const { isAdmin, projectId } = callerOf(request)
  if (!isAdmin) return [{ column: 'id', in: await visibleTypeIds(database, projectId) }]
  const wanted = queryOf(request).is_public ?? 'true'
  if (wanted.toLowerCase() === 'none') return []
  return [{ column: 'isPublic', in: [booleanOf('is_public', wanted) ? 1 : 0] }]
}

function changeRoutes(app: App, context: ApiContext): void {
  const { database } = context
  app.post(
    '/types',
    { config: ADMIN, schema: { tags, summary: 'Create a volume type', body: CREATE } },
    async (request) => {
      const { volume_type: type } = request.body
      const isPublic = type['os-volume-type-access:is_public']
      const row = await createVolumeType(database, {
        name: named(type.name),
        description: type.description ?? null,
        isPublic: isPublic == null || booleanOf('is_public', isPublic),
        extraSpecs: type.extra_specs ?? {},
      })
      return { volume_type: newTypeView(request, row) }
    },
  )
  app.put(
    '/types/:id',
    { config: ADMIN, schema: { tags, summary: 'Change a volume type', params: ID_PARAMS, body: UPDATE } },
    async (request) => {
      const { name, description, is_public: isPublic } = request.body.volume_type
      // cinderclient names all it could change, and what it leaves alone is null.
      if (name == null && description == null && isPublic == null)
        throw new Fault(400, 'Expected a name, a description or is_public, got none.')
      const row = await updateVolumeType(database, request.params.id, {
        ...(name == null ? {} : { name: named(name) }),
        ...(description == null ? {} : { description }),
        ...(isPublic == null ? {} : { isPublic: booleanOf('is_public', isPublic) }),
      })
      return { volume_type: changedTypeView(request, row) }
    },
  )
  app.delete(
    '/types/:id',
    { config: ADMIN, schema: { tags, summary: 'Delete a volume type', params: ID_PARAMS } },
    async (request, reply) => {
      await deleteVolumeType(database, request.params.id)
      return reply.code(202).send()
    },
  )
}

function named(name: string): string {
  const trimmed = name.trim()
  if (trimmed !== '') return trimmed
  throw new Fault(400, 'Expected a name that is not empty.')
}
