import { z } from 'zod'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVolumeDeletion } from '../../database/requests/delete-volume.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept, showIfPresent } from './answers.ts'
import { DESCRIPTION, ERRORS, ID, ID_PARAMS, METADATA, NAME, PLACE, SIZE_BYTES } from './fields.ts'
import { readRoutes } from './read-routes.ts'
import { ACCEPTED, VOLUME, VOLUME_ACCEPTED, VOLUME_PAGE } from './schemas.ts'
import { volumeView } from './views.ts'

const CREATE = z
  .strictObject({
    sizeBytes: SIZE_BYTES.exactOptional().describe(
      'Whole MiB; may be left out with a source: then as large as that',
    ),
    name: NAME.exactOptional(),
    description: DESCRIPTION.exactOptional(),
    metadata: METADATA.exactOptional(),
    backend: PLACE.exactOptional(),
    imageId: ID.exactOptional(),
    snapshotId: ID.exactOptional(),
    backupId: ID.exactOptional(),
    sourceVolumeId: ID.exactOptional().describe('Clone this volume'),
    flatten: z
      .boolean()
      .exactOptional()
      .describe('From a snapshot or volume: copy everything, so that the volume shares nothing with it'),
  })
  .meta({ id: 'CreateVolume' })

const tags = ['volumes']

export function volumeRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.post(
    '/volumes',
    {
      schema: {
        tags,
        summary: 'Create a volume: blank, or from an image, a snapshot, a backup or a volume',
        body: CREATE,
        response: { 202: VOLUME_ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestVolume(database, actor, places, request.body)
      const operation = await accept(context, actor, accepted)
      const key = { id: accepted.resourceId, projectId: actor.projectId }
      const volume = await showIfPresent(context, 'volume', key, volumeView)
      return reply.code(202).send({ volume, operation })
    },
  )
  readRoutes(app, context, { type: 'volume', one: VOLUME, page: VOLUME_PAGE, view: volumeView })
  app.delete(
    '/volumes/:id',
    {
      schema: { tags, summary: 'Delete a volume', params: ID_PARAMS, response: { 202: ACCEPTED, ...ERRORS } },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestVolumeDeletion(database, actor, request.params.id)
      return reply.code(202).send({ operation: await accept(context, actor, accepted) })
    },
  )
}
