import { z } from 'zod'
import { addTypeAccess, removeTypeAccess, typeAccess } from '../../../database/cinder/type-changes.ts'
import { requireVolumeType } from '../../../database/cinder/types.ts'
import { RequestError } from '../../../domain/errors.ts'
import type { ApiContext, App } from '../../context.ts'
import { type Action, action, actionRoute } from '../actions.ts'
import { ID_PARAMS, REFERENCE } from '../fields.ts'

const ADMIN = { rule: 'admin' } as const
const PROJECT = z.strictObject({ project: REFERENCE })

const ACTIONS: Readonly<Record<string, Action>> = {
  addProjectAccess: action(
    PROJECT,
    async ({ context, reply, id }, { project }) => {
      await addTypeAccess(context.database, id, project)
      return reply.code(202).send()
    },
    ADMIN,
  ),
  removeProjectAccess: action(
    PROJECT,
    async ({ context, reply, id }, { project }) => {
      await removeTypeAccess(context.database, id, project)
      return reply.code(202).send()
    },
    ADMIN,
  ),
}

/** Which projects may use a type that is not public. */
export function typeAccessRoutes(app: App, context: ApiContext): void {
  actionRoute(app, context, 'types', ACTIONS)
  app.get(
    '/types/:id/os-volume-type-access',
    { config: ADMIN, schema: { tags: ['types'], summary: 'List who may use a type', params: ID_PARAMS } },
    async (request) => {
      const { id, isPublic } = await requireVolumeType(context.database, request.params.id, undefined)
      if (isPublic === 1)
        throw new RequestError(404, 'typeIsPublic', 'Access list not available for public volume types.')
      const projects = await typeAccess(context.database, id)
      return { volume_type_access: projects.map((project_id) => ({ volume_type_id: id, project_id })) }
    },
  )
}
