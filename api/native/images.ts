import { z } from 'zod'
import { requestImage, requestImageDeletion } from '../../database/requests/images.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept, showOne } from './answers.ts'
import { ERRORS, ID_PARAMS, METADATA, NAME, PLACE } from './fields.ts'
import { readRoutes } from './read-routes.ts'
import { ACCEPTED, IMAGE, IMAGE_PAGE } from './schemas.ts'
import { imageView } from './views.ts'

const CREATE = z
  .strictObject({
    name: NAME.exactOptional(),
    diskFormat: z.enum(['raw', 'qcow2']),
    store: PLACE.exactOptional(),
    minDiskGiB: z.int().min(0).max(65_536).exactOptional(),
    minRamMiB: z.int().min(0).max(67_108_864).exactOptional(),
    metadata: METADATA.exactOptional(),
  })
  .meta({ id: 'CreateImage' })

const tags = ['images']

export function imageRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.post(
    '/images',
    {
      schema: {
        tags,
        summary: 'Create the record of an image; its bytes follow',
        body: CREATE,
        response: { 201: IMAGE, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const { resourceId } = await requestImage(database, actor, places, request.body)
      const key = { id: resourceId, projectId: actor.projectId }
      return reply.code(201).send(await showOne(context, 'image', key, imageView))
    },
  )
  readRoutes(app, context, { type: 'image', one: IMAGE, page: IMAGE_PAGE, view: imageView })
  app.delete(
    '/images/:id',
    {
      schema: { tags, summary: 'Delete an image', params: ID_PARAMS, response: { 202: ACCEPTED, ...ERRORS } },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestImageDeletion(database, actor, request.params.id)
      return reply.code(202).send({ operation: await accept(context, actor, accepted) })
    },
  )
}
