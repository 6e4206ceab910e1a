import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import {
  createCredential,
  type CredentialRow,
  deleteCredential,
  findCredential,
  listCredentials,
} from '../../database/identity/credentials.ts'
import { listRecords, type RecordRow } from '../../database/identity/records.ts'
import type { Session } from '../../database/identity/sessions.ts'
import { RequestError } from '../../domain/errors.ts'
import type { App } from '../context.ts'
import { type KeystoneContext, selfOf } from './context.ts'
import { forbidden } from './fault.ts'
import { ID, ID_PARAMS, NAME, NEW_PASSWORD, TEXT } from './fields.ts'
import { requireSelf, sessionOf } from './session.ts'
import { credentialView, listView } from './views.ts'

const URL = '/users/:id/application_credentials'
const ONE = z.object({ id: z.string(), credentialId: z.string() })
const NEW = z.object({
  application_credential: z.object({
    name: NAME,
    description: TEXT.exactOptional(),
    secret: NEW_PASSWORD.nullable().exactOptional(),
    expires_at: z.string().max(40).nullable().exactOptional(),
    roles: z
      .array(z.object({ id: ID.exactOptional(), name: NAME.exactOptional() }))
      .max(100)
      .exactOptional(),
    unrestricted: z.boolean().nullable().exactOptional(),
  }),
})

/** Credentials for programs: one project, no more roles than their user, and no password of a person. */
export function credentialRoutes(app: App, context: KeystoneContext): void {
  createRoute(app, context)
  readRoutes(app, context)
  app.delete(`${URL}/:credentialId`, { schema: { params: ONE, hide: true } }, async (request, reply) => {
    requireSelf(request, request.params.id)
    await requireUnrestricted(context, request)
    const row = await requireCredential(context, request.params)
    await context.database.transaction().execute((tx) => deleteCredential(tx, row))
    return reply.code(204).send()
  })
}

function createRoute(app: App, context: KeystoneContext): void {
  const schema = { params: ID_PARAMS, body: NEW, hide: true }
  app.post(URL, { schema }, async (request, reply) => {
    const session = sessionOf(request)
    if (session.user.id !== request.params.id || session.scope?.type !== 'project') throw forbidden()
    await requireUnrestricted(context, request)
    const { name, description, secret, expires_at: expires, ...wanted } = request.body.application_credential
    const roles = chosenRoles(session, wanted.roles)
    const made = await createCredential(context.database, {
      ...{ userId: session.user.id, projectId: session.scope.project.id, name },
      description: description ?? '',
      roleIds: roles.map(({ id }) => id),
      unrestricted: wanted.unrestricted ?? false,
      expiresAt: expires == null ? null : futureTime(expires),
      ...(secret != null && { secret }),
    })
    const view = { ...credentialView(made.row, roles), secret: made.secret }
    return reply.code(201).send({ application_credential: view })
  })
}

function readRoutes(app: App, context: KeystoneContext): void {
  const { database } = context
  const query = z.object({ name: z.string().exactOptional() })
  app.get(URL, { schema: { params: ID_PARAMS, querystring: query, hide: true } }, async (request) => {
    requireSelf(request, request.params.id)
    const roles = await listRecords(database, 'role')
    const { name } = request.query
    const rows = (await listCredentials(database, request.params.id)).filter(
      (row) => name === undefined || row.name === name,
    )
    const views = rows.map((row) => credentialView(row, rolesOf(row, roles)))
    return listView('application_credentials', views, selfOf(context, request))
  })
  app.get(`${URL}/:credentialId`, { schema: { params: ONE, hide: true } }, async (request) => {
    requireSelf(request, request.params.id)
    const row = await requireCredential(context, request.params)
    return { application_credential: credentialView(row, rolesOf(row, await listRecords(database, 'role'))) }
  })
}

/** A credential makes and deletes credentials only when it was made for that. */
async function requireUnrestricted({ database }: KeystoneContext, request: FastifyRequest): Promise<void> {
  const { applicationCredentialId: id } = sessionOf(request).token
  if (id !== null && (await findCredential(database, id))?.unrestricted !== 1) throw forbidden()
}

async function requireCredential(
  { database }: KeystoneContext,
  { id, credentialId }: z.infer<typeof ONE>,
): Promise<CredentialRow> {
  const row = await findCredential(database, credentialId)
  if (row?.userId === id) return row
  throw new RequestError(404, 'credentialNotFound', `Could not find application credential: ${credentialId}.`)
}

function chosenRoles(
  { roles }: Session,
  wanted: readonly { id?: string; name?: string }[] | undefined,
): readonly RecordRow[] {
  if (wanted === undefined || wanted.length === 0) return roles
  return wanted.map(({ id, name }) => {
    const role = roles.find((own) => own.id === id || own.name === name)
    if (role !== undefined) return role
    throw new RequestError(
      400,
      'roleNotOwn',
      `Expected a role that the user has, got ${id ?? name ?? 'none'}.`,
    )
  })
}

/** `2027-01-01T00:00:00.000000`, which is UTC. */
function futureTime(text: string): string {
  const time = new Date(/(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`)
  if (time.getTime() > Date.now()) return time.toISOString()
  throw new RequestError(400, 'invalidTime', 'Expected expires_at to be an ISO 8601 time in the future.')
}

function rolesOf(row: CredentialRow, roles: readonly RecordRow[]): RecordRow[] {
  const ids = JSON.parse(row.roleIds) as string[]
  return roles.filter(({ id }) => ids.includes(id))
}
