import { z } from 'zod'
import { requestImageCopy } from '../../database/requests/copy-image.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept } from './answers.ts'
import { ERRORS, ID_PARAMS, PLACE } from './fields.ts'
import { ACCEPTED } from './schemas.ts'

const COPY = z.strictObject({ store: PLACE }).meta({ id: 'CopyImage' })

export function imageCopyRoutes(app: App, context: ApiContext): void {
  app.post(
    '/images/:id/copy',
    {
      schema: {
        tags: ['images'],
        summary: 'Copy the bytes of an image to another store',
        params: ID_PARAMS,
        body: COPY,
        response: { 202: ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const { store } = request.body
      const accepted = await requestImageCopy(context.database, actor, context.places, {
        imageId: request.params.id,
        store,
      })
      return reply.code(202).send({ operation: await accept(context, actor, accepted) })
    },
  )
}
