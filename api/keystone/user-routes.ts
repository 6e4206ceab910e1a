import { z } from 'zod'
import { forgetGuesses, guess } from '../../database/identity/guesses.ts'
import { hashPassword } from '../../database/identity/passwords.ts'
import { changeRecord, createRecord, requireRecord } from '../../database/identity/records.ts'
import { revokeTokensOf } from '../../database/identity/tokens.ts'
import type { App } from '../context.ts'
import { type KeystoneContext, linkedTo, selfOf } from './context.ts'
import { unauthorized } from './fault.ts'
import { ID, ID_PARAMS, NAME, NEW_PASSWORD, PASSWORD, TEXT } from './fields.ts'
import { recordRoutes } from './record-routes.ts'
import { adminOnly, requireSelf, sessionOf } from './session.ts'
import { listView, recordView } from './views.ts'

const FIELDS = {
  description: TEXT.exactOptional(),
  email: TEXT.exactOptional(),
  enabled: z.boolean().exactOptional(),
  default_project_id: ID.nullable().exactOptional(),
  password: NEW_PASSWORD.nullable().exactOptional(),
}
const NEW = z.object({ ...FIELDS, name: NAME, domain_id: ID.nullable().exactOptional() })
const CHANGE = z.object({ ...FIELDS, name: NAME.exactOptional() })
const PASSWORDS = z.object({ user: z.object({ original_password: PASSWORD, password: NEW_PASSWORD }) })

export function userRoutes(app: App, context: KeystoneContext): void {
  recordRoutes(app, context, 'user')
  createRoute(app, context)
  changeRoute(app, context)
  passwordRoute(app, context)
  // There are no groups, and clients ask for those of a user.
  app.get('/users/:id/groups', { schema: { params: ID_PARAMS, hide: true } }, async (request) => {
    requireSelf(request, request.params.id)
    return listView('groups', [], selfOf(context, request))
  })
  app.get('/groups', { preHandler: adminOnly, schema: { hide: true } }, async (request) =>
    listView('groups', [], selfOf(context, request)),
  )
}

function createRoute(app: App, context: KeystoneContext): void {
  const schema = { body: z.object({ user: NEW }), hide: true }
  app.post('/users', { preHandler: adminOnly, schema }, async (request, reply) => {
    const { name, domain_id: domainId, ...given } = request.body.user
    const ownDomain = sessionOf(request).user.domainId
    const fields = await columns(given)
    const row = await context.database.transaction().execute(async (tx) => {
      const domain = await requireRecord(tx, 'domain', domainId ?? ownDomain)
      const blank = { description: '', email: null, defaultProjectId: null, passwordHash: null }
      return createRecord(tx, 'user', { ...blank, ...fields, domainId: domain.id, name })
    })
    return reply.code(201).send({ user: recordView('user', row, linkedTo(context, request)) })
  })
}

function changeRoute(app: App, context: KeystoneContext): void {
  const schema = { params: ID_PARAMS, body: z.object({ user: CHANGE }), hide: true }
  app.patch('/users/:id', { preHandler: adminOnly, schema }, async (request) => {
    const { name, ...given } = request.body.user
    const { id } = request.params
    const change = { ...(await columns(given)), ...(name !== undefined && { name }) }
    const row = await context.database.transaction().execute(async (tx) => {
      const changed = await changeRecord(tx, 'user', id, change)
      if (change.passwordHash !== undefined || change.enabled === 0) await revokeTokensOf(tx, id)
      if (change.passwordHash !== undefined) await forgetGuesses(tx, `user:${id}`)
      return changed
    })
    return { user: recordView('user', row, linkedTo(context, request)) }
  })
}

/** One's own: whoever has only the token cannot take the account over. */
function passwordRoute(app: App, { database }: KeystoneContext): void {
  const schema = { params: ID_PARAMS, body: PASSWORDS, hide: true }
  app.post('/users/:id/password', { schema }, async (request, reply) => {
    const { id } = request.params
    requireSelf(request, id)
    const { original_password: password, password: next } = request.body.user
    const { passwordHash: hash } = await requireRecord(database, 'user', id)
    if (!(await guess(database, `user:${id}`, { password, hash }))) throw unauthorized()
    const passwordHash = await hashPassword(next)
    await database.transaction().execute(async (tx) => {
      await changeRecord(tx, 'user', id, { passwordHash })
      await revokeTokensOf(tx, id)
    })
    return reply.code(204).send()
  })
}

async function columns(given: Omit<z.infer<typeof CHANGE>, 'name'>) {
  const { description, email, enabled, default_project_id: defaultProjectId, password } = given
  return {
    ...(description !== undefined && { description: description ?? '' }),
    ...(email !== undefined && { email }),
    ...(enabled !== undefined && { enabled: enabled ? 1 : 0 }),
    ...(defaultProjectId !== undefined && { defaultProjectId }),
    ...(password !== undefined && {
      passwordHash: password === null ? null : await hashPassword(password),
    }),
  }
}
