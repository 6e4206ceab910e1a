import { z } from 'zod'
import { requestVolumeUpload } from '../../database/requests/upload-volume.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept, showIfPresent } from './answers.ts'
import { ERRORS, ID_PARAMS, NAME, PLACE } from './fields.ts'
import { VOLUME_IMAGE_ACCEPTED } from './schemas.ts'
import { imageView } from './views.ts'

const UPLOAD = z
  .strictObject({
    name: NAME.exactOptional().describe('Of the new image'),
    diskFormat: z.enum(['raw', 'qcow2']),
    store: PLACE.exactOptional(),
  })
  .meta({ id: 'UploadVolume' })

const tags = ['volumes']

/** Operations that copy between things that exist: docs/volume-copies.md. */
export function volumeCopyRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.post(
    '/volumes/:id/upload-image',
    {
      schema: {
        tags,
        summary: 'Make an image of a volume',
        params: ID_PARAMS,
        body: UPLOAD,
        response: { 202: VOLUME_IMAGE_ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const upload = { volumeId: request.params.id, ...request.body }
      const accepted = await requestVolumeUpload(database, actor, places, upload)
      const operation = await accept(context, actor, accepted)
      const key = { id: accepted.resourceId, projectId: actor.projectId }
      const image = await showIfPresent(context, 'image', key, imageView)
      return reply.code(202).send({ image, operation })
    },
  )
}
