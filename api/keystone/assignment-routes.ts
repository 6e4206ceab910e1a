import { z } from 'zod'
import {
  assignedRoles,
  type Assignment,
  assignRole,
  listAssignments,
  type Scope,
  unassignRole,
} from '../../database/identity/assignments.ts'
import { listRecords, requireRecord } from '../../database/identity/records.ts'
import { RequestError } from '../../domain/errors.ts'
import type { App } from '../context.ts'
import { type KeystoneContext, linkedTo, selfOf } from './context.ts'
import { FLAG } from './fields.ts'
import { adminOnly, isAdmin, sessionOf } from './session.ts'
import { listView, recordView } from './views.ts'
import { forbidden } from './fault.ts'

const PLACES = [
  { prefix: '/projects/:scopeId', scopeType: 'project' },
  { prefix: '/domains/:scopeId', scopeType: 'domain' },
  { prefix: '/system', scopeType: 'system' },
] as const

const USER = z.object({ scopeId: z.string().default('all'), userId: z.string() })
const ROLE = USER.extend({ roleId: z.string() })

/** Who has which role where. */
export function assignmentRoutes(app: App, context: KeystoneContext): void {
  for (const { prefix, scopeType } of PLACES) {
    listRoute(app, context, `${prefix}/users/:userId/roles`, scopeType)
    changeRoutes(app, context, `${prefix}/users/:userId/roles/:roleId`, scopeType)
  }
  overviewRoute(app, context)
}

function listRoute(app: App, context: KeystoneContext, url: string, scopeType: Scope['scopeType']): void {
  app.get(url, { preHandler: adminOnly, schema: { params: USER, hide: true } }, async (request) => {
    const { userId, scopeId } = request.params
    await requireRecord(context.database, 'user', userId)
    const roles = await assignedRoles(context.database, userId, { scopeType, scopeId })
    const views = roles.map((role) => recordView('role', role, linkedTo(context, request)))
    return listView('roles', views, selfOf(context, request))
  })
}

function changeRoutes(
  app: App,
  { database }: KeystoneContext,
  url: string,
  scopeType: Scope['scopeType'],
): void {
  const options = { preHandler: adminOnly, schema: { params: ROLE, hide: true } }
  app.put(url, options, async (request, reply) => {
    await database.transaction().execute((tx) => assignRole(tx, { ...request.params, scopeType }))
    return reply.code(204).send()
  })
  app.delete(url, options, async (request, reply) => {
    await database.transaction().execute((tx) => unassignRole(tx, { ...request.params, scopeType }))
    return reply.code(204).send()
  })
  for (const method of ['HEAD', 'GET'] as const)
    app.route({
      method,
      url,
      ...options,
      handler: async (request, reply) => {
        const { roleId } = request.params
        const found = await listAssignments(database, { ...request.params, scopeType })
        if (found.length === 0)
          throw new RequestError(404, 'assignmentNotFound', `Could not find role: ${roleId}.`)
        return reply.code(204).send()
      },
    })
}

const OVERVIEW = z.object({
  'user.id': z.string().exactOptional(),
  'role.id': z.string().exactOptional(),
  'scope.project.id': z.string().exactOptional(),
  'scope.domain.id': z.string().exactOptional(),
  'scope.system': z.string().exactOptional(),
  include_names: FLAG,
})

function overviewRoute(app: App, context: KeystoneContext): void {
  const { database } = context
  app.get('/role_assignments', { schema: { querystring: OVERVIEW, hide: true } }, async (request) => {
    const { query } = request
    const session = sessionOf(request)
    if (query['user.id'] !== session.user.id && !isAdmin(session)) throw forbidden()
    const rows = await listAssignments(database, filterOf(query))
    const names = query.include_names === true ? await namesOf(context, rows) : undefined
    const { identityUrl } = linkedTo(context, request)
    const views = rows.map((row) => assignmentView(row, names, identityUrl))
    return listView('role_assignments', views, selfOf(context, request))
  })
}

function filterOf(query: z.infer<typeof OVERVIEW>): Partial<Assignment> {
  const userId = query['user.id']
  const roleId = query['role.id']
  const project = query['scope.project.id']
  const domain = query['scope.domain.id']
  return {
    ...(userId !== undefined && { userId }),
    ...(roleId !== undefined && { roleId }),
    ...(project !== undefined && { scopeType: 'project', scopeId: project }),
    ...(domain !== undefined && { scopeType: 'domain', scopeId: domain }),
    ...(query['scope.system'] !== undefined && { scopeType: 'system' }),
  }
}

type Names = ReadonlyMap<string, { name: string; domainId: string }>

async function namesOf({ database }: KeystoneContext, rows: readonly Assignment[]): Promise<Names> {
  const ids = [...new Set(rows.flatMap(({ userId, roleId, scopeId }) => [userId, roleId, scopeId]))]
  const found = await Promise.all(
    (['user', 'role', 'project', 'domain'] as const).map(async (type) =>
      (await listRecords(database, type, type === 'domain' ? {} : { ids })).map(
        (row) => [`${type}:${row.id}`, row] as const,
      ),
    ),
  )
  return new Map(found.flat())
}

function assignmentView(
  { userId, roleId, scopeType, scopeId }: Assignment,
  names: Names | undefined,
  identityUrl: string,
): object {
  const named = (type: string, id: string) => {
    const row = names?.get(`${type}:${id}`)
    if (row === undefined) return { id }
    const domain = { id: row.domainId, name: names?.get(`domain:${row.domainId}`)?.name ?? row.domainId }
    return { id, name: row.name, ...(row.domainId !== '' && { domain }) }
  }
  const path = scopeType === 'system' ? 'system' : `${scopeType}s/${scopeId}`
  return {
    user: named('user', userId),
    role: named('role', roleId),
    scope: scopeType === 'system' ? { system: { all: true } } : { [scopeType]: named(scopeType, scopeId) },
    links: { assignment: `${identityUrl}/v3/${path}/users/${userId}/roles/${roleId}` },
  }
}
