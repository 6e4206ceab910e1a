import { z } from 'zod'
import { changeRecord, createRecord, requireRecord } from '../../database/identity/records.ts'
import type { App } from '../context.ts'
import { type KeystoneContext, linkedTo } from './context.ts'
import { ID, ID_PARAMS, NAME, TEXT } from './fields.ts'
import { recordRoutes } from './record-routes.ts'
import { adminOnly, sessionOf } from './session.ts'
import { recordView } from './views.ts'

const CHANGES = {
  name: NAME.exactOptional(),
  description: TEXT.exactOptional(),
  enabled: z.boolean().exactOptional(),
}
const NEW = z.object({ ...CHANGES, name: NAME, domain_id: ID.nullable().exactOptional() })
const CHANGE = z.object(CHANGES)

/** Projects, domains and roles: what has a name and nothing else. */
export function projectRoutes(app: App, context: KeystoneContext): void {
  for (const type of ['project', 'domain', 'role'] as const) {
    createRoute(app, context, type)
    changeRoute(app, context, type)
    recordRoutes(app, context, type)
  }
}

type Type = 'project' | 'domain' | 'role'

function createRoute(app: App, context: KeystoneContext, type: Type): void {
  const body = z.object({ [type]: NEW })
  app.post(`/${type}s`, { preHandler: adminOnly, schema: { body, hide: true } }, async (request, reply) => {
    const { name, description, enabled, domain_id: domainId } = request.body[type] as z.infer<typeof NEW>
    const ownDomain = sessionOf(request).user.domainId
    const row = await context.database.transaction().execute(async (tx) => {
      const owner = type === 'project' ? (await requireRecord(tx, 'domain', domainId ?? ownDomain)).id : ''
      return createRecord(tx, type, {
        ...{ domainId: owner, name, description: description ?? '' },
        ...(enabled !== undefined && { enabled: enabled ? 1 : 0 }),
      })
    })
    return reply.code(201).send({ [type]: recordView(type, row, linkedTo(context, request)) })
  })
}

function changeRoute(app: App, context: KeystoneContext, type: Type): void {
  const schema = { params: ID_PARAMS, body: z.object({ [type]: CHANGE }), hide: true }
  app.patch(`/${type}s/:id`, { preHandler: adminOnly, schema }, async (request) => {
    const { name, description, enabled } = request.body[type] as z.infer<typeof CHANGE>
    const change = {
      ...(name !== undefined && { name }),
      ...(description !== undefined && { description: description ?? '' }),
      ...(enabled !== undefined && { enabled: enabled ? 1 : 0 }),
    }
    const row = await context.database
      .transaction()
      .execute((tx) => changeRecord(tx, type, request.params.id, change))
    return { [type]: recordView(type, row, linkedTo(context, request)) }
  })
}
