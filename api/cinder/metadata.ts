import { z } from 'zod'
import { changeEntries } from '../../database/cinder/volumes.ts'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { ApiContext, App } from '../context.ts'
import { Fault } from './fault.ts'
import { ID_PARAMS, KEY_PARAMS, META_VALUE, METADATA } from './fields.ts'
import { owned } from './owned.ts'

type Strings = Record<string, string>

const ALL = z.strictObject({ metadata: METADATA })
const ONE = z.strictObject({ meta: z.record(z.string().min(1).max(LIMITS.nameLengthMax), META_VALUE) })

/** `/volumes/{id}/metadata` and `…/metadata/{key}`, and the same for snapshots. */
export function metadataRoutes(app: App, context: ApiContext, type: 'volume' | 'snapshot'): void {
  const path = `/${type}s/:id/metadata`
  const tags = [`${type}s`]
  const change = (id: string, work: (entries: Strings) => Strings) =>
    changeEntries(context.database, { type, id, column: 'metadata' }, work)
  app.get(path, { schema: { tags, summary: 'Show metadata', params: ID_PARAMS } }, async (request) => {
    const { row } = await owned(context, request, type, request.params.id)
    return { metadata: JSON.parse(row.metadata) as Strings }
  })
  app.post(
    path,
    { schema: { tags, summary: 'Add metadata', params: ID_PARAMS, body: ALL } },
    async (request) => {
      const { row } = await owned(context, request, type, request.params.id)
      const { metadata } = request.body
      return { metadata: await change(row.id, (entries) => bounded({ ...entries, ...metadata })) }
    },
  )
  app.put(
    path,
    { schema: { tags, summary: 'Replace metadata', params: ID_PARAMS, body: ALL } },
    async (request) => {
      const { row } = await owned(context, request, type, request.params.id)
      const { metadata } = request.body
      return { metadata: await change(row.id, () => metadata) }
    },
  )
  entryRoutes(app, context, type)
}

function entryRoutes(app: App, context: ApiContext, type: 'volume' | 'snapshot'): void {
  const path = `/${type}s/:id/metadata/:key`
  const tags = [`${type}s`]
  app.get(
    path,
    { schema: { tags, summary: 'Show one entry of metadata', params: KEY_PARAMS } },
    async (request) => {
      const { id, key } = request.params
      const { row } = await owned(context, request, type, id)
      const entries = JSON.parse(row.metadata) as Strings
      return { meta: { [key]: requireEntry(entries, key, id) } }
    },
  )
  app.put(
    path,
    { schema: { tags, summary: 'Set one entry of metadata', params: KEY_PARAMS, body: ONE } },
    async (request) => {
      const { id, key } = request.params
      const { meta } = request.body
      if (!Object.hasOwn(meta, key) || Object.keys(meta).length !== 1)
        throw new Fault(400, 'Expected the one key of the path in meta.')
      const { row } = await owned(context, request, type, id)
      const where = { type, id: row.id, column: 'metadata' } as const
      await changeEntries(context.database, where, (entries) => bounded({ ...entries, ...meta }))
      return { meta }
    },
  )
  app.delete(
    path,
    { schema: { tags, summary: 'Remove one entry of metadata', params: KEY_PARAMS } },
    async (request, reply) => {
      const { id, key } = request.params
      const { row } = await owned(context, request, type, id)
      await changeEntries(context.database, { type, id: row.id, column: 'metadata' }, (entries) =>
        without(entries, key, id),
      )
      return reply.code(200).send()
    },
  )
}

export function without(entries: Strings, key: string, id: string): Strings {
  requireEntry(entries, key, id)
  return Object.fromEntries(Object.entries(entries).filter(([name]) => name !== key))
}

export function bounded(entries: Strings): Strings {
  if (Object.keys(entries).length <= LIMITS.metadataEntriesMax) return entries
  throw new Fault(400, `Expected at most ${LIMITS.metadataEntriesMax} entries of metadata.`)
}

function requireEntry(entries: Strings, key: string, id: string): string {
  const value = Object.hasOwn(entries, key) ? entries[key] : undefined
  if (value !== undefined) return value
  throw new RequestError(404, 'metadataNotFound', `${id} has no metadata with key ${key}.`)
}
