import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { deleteRecord } from '../../database/identity/delete.ts'
import {
  listRecords,
  requireRecord,
  type RecordFilter,
  type RecordType,
} from '../../database/identity/records.ts'
import type { App } from '../context.ts'
import { type KeystoneContext, linkedTo, selfOf } from './context.ts'
import { FLAG, ID_PARAMS } from './fields.ts'
import { forbidden } from './fault.ts'
import { adminOnly, isAdmin, sessionOf } from './session.ts'
import { listView, recordView } from './views.ts'

const QUERY = z.object({
  name: z.string().exactOptional(),
  domain_id: z.string().exactOptional(),
  enabled: FLAG,
})

/** List, show and delete: the same for users, projects, roles and domains. */
export function recordRoutes(app: App, context: KeystoneContext, type: RecordType): void {
  const { database } = context
  app.get(
    `/${type}s`,
    { preHandler: adminOnly, schema: { querystring: QUERY, hide: true } },
    async (request) => {
      const rows = await listRecords(database, type, filterOf(type, request.query))
      const views = rows.map((row) => recordView(type, row, linkedTo(context, request)))
      return listView(`${type}s`, views, selfOf(context, request))
    },
  )
  app.get(`/${type}s/:id`, { schema: { params: ID_PARAMS, hide: true } }, async (request) => {
    const { id } = request.params
    if (!mayShow(request, type, id)) throw forbidden()
    return { [type]: recordView(type, await requireRecord(database, type, id), linkedTo(context, request)) }
  })
  app.delete(
    `/${type}s/:id`,
    { preHandler: adminOnly, schema: { params: ID_PARAMS, hide: true } },
    async (request, reply) => {
      await database.transaction().execute((tx) => deleteRecord(tx, type, request.params.id))
      return reply.code(204).send()
    },
  )
}

function filterOf(type: RecordType, query: z.infer<typeof QUERY>): RecordFilter {
  const { name, domain_id: domainId, enabled } = query
  const hasDomain = type === 'user' || type === 'project'
  return {
    ...(name !== undefined && { name }),
    ...(enabled !== undefined && { enabled }),
    ...(hasDomain && domainId !== undefined && { domainId }),
  }
}

/** Oneself, and where one is. */
function mayShow(request: FastifyRequest, type: RecordType, id: string): boolean {
  const session = sessionOf(request)
  if (isAdmin(session)) return true
  const { user, scope } = session
  if (type === 'user') return user.id === id
  if (type === 'project') return scope?.type === 'project' && scope.project.id === id
  return type === 'domain' && user.domainId === id
}
