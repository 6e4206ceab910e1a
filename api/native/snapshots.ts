import { z } from 'zod'
import { requestSnapshot, requestSnapshotDeletion } from '../../database/requests/snapshots.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept, showIfPresent } from './answers.ts'
import { DESCRIPTION, ERRORS, ID, ID_PARAMS, METADATA, NAME } from './fields.ts'
import { readRoutes } from './read-routes.ts'
import { ACCEPTED, SNAPSHOT, SNAPSHOT_ACCEPTED, SNAPSHOT_PAGE } from './schemas.ts'
import { snapshotView } from './views.ts'

const CREATE = z
  .strictObject({
    volumeId: ID,
    name: NAME.exactOptional(),
    description: DESCRIPTION.exactOptional(),
    metadata: METADATA.exactOptional(),
  })
  .meta({ id: 'CreateSnapshot' })

const tags = ['snapshots']

export function snapshotRoutes(app: App, context: ApiContext): void {
  const { database } = context
  app.post(
    '/snapshots',
    {
      schema: {
        tags,
        summary: 'Take a snapshot of a volume',
        body: CREATE,
        response: { 202: SNAPSHOT_ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestSnapshot(database, actor, request.body)
      const operation = await accept(context, actor, accepted)
      const key = { id: accepted.resourceId, projectId: actor.projectId }
      const snapshot = await showIfPresent(context, 'snapshot', key, snapshotView)
      return reply.code(202).send({ snapshot, operation })
    },
  )
  readRoutes(app, context, { type: 'snapshot', one: SNAPSHOT, page: SNAPSHOT_PAGE, view: snapshotView })
  app.delete(
    '/snapshots/:id',
    {
      schema: {
        tags,
        summary: 'Delete a snapshot',
        params: ID_PARAMS,
        response: { 202: ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestSnapshotDeletion(database, actor, request.params.id)
      return reply.code(202).send({ operation: await accept(context, actor, accepted) })
    },
  )
}
