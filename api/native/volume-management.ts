import { z } from 'zod'
import { requestManagement, requestUnmanagement } from '../../database/requests/manage-volume.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { DESCRIPTION, ERRORS, ID_PARAMS, METADATA, NAME, PLACE } from './fields.ts'
import { VOLUME_ACCEPTED } from './schemas.ts'
import { answerVolume } from './volume-actions.ts'

const MANAGE = z
  .strictObject({
    backend: PLACE,
    sourceName: NAME.describe(
      'What it is called in the backend: an image of the pool, or a file in `unmanaged/`',
    ),
    name: NAME.exactOptional(),
    description: DESCRIPTION.exactOptional(),
    metadata: METADATA.exactOptional(),
    bootable: z.boolean().exactOptional(),
  })
  .meta({ id: 'ManageVolume' })

const COMMON = {
  config: { rule: 'admin' },
  schema: { tags: ['volumes'], response: { 202: VOLUME_ACCEPTED, ...ERRORS } },
} as const

/** What others put into a backend becomes a volume, and a volume becomes nobody's. */
export function volumeManagementRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.post(
    '/volumes/manage',
    {
      ...COMMON,
      schema: { ...COMMON.schema, summary: 'Take over what is in a backend already', body: MANAGE },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestManagement(database, actor, places, request.body)
      return answerVolume(context, actor, accepted, reply)
    },
  )
  app.post(
    '/volumes/:id/unmanage',
    {
      ...COMMON,
      schema: {
        ...COMMON.schema,
        summary: 'Give a volume up and leave its bytes in the backend, where the result says',
        params: ID_PARAMS,
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestUnmanagement(database, actor, request.params.id)
      return answerVolume(context, actor, accepted, reply)
    },
  )
}
