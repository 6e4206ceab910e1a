import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Actor } from '../../database/operations/accept.ts'
import type { Accepted } from '../../database/operations/idempotency.ts'
import { requestVolumeExtension } from '../../database/requests/extend-volume.ts'
import { requestFlatten } from '../../database/requests/flatten-volume.ts'
import { requestRevert } from '../../database/requests/revert-volume.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept, showIfPresent } from './answers.ts'
import { ERRORS, ID, ID_PARAMS, SIZE_BYTES } from './fields.ts'
import { VOLUME_ACCEPTED } from './schemas.ts'
import { volumeView } from './views.ts'

const EXTEND = z
  .strictObject({ sizeBytes: SIZE_BYTES.describe('Whole MiB, larger than the volume') })
  .meta({ id: 'ExtendVolume' })

const REVERT = z
  .strictObject({ snapshotId: ID.describe('The most recent snapshot of the volume') })
  .meta({ id: 'RevertVolume' })

const COMMON = { tags: ['volumes'], params: ID_PARAMS, response: { 202: VOLUME_ACCEPTED, ...ERRORS } }

/** What is done with a volume that exists. */
export function volumeActionRoutes(app: App, context: ApiContext): void {
  const { database } = context
  app.post(
    '/volumes/:id/extend',
    { schema: { ...COMMON, summary: 'Make a volume larger', body: EXTEND } },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestVolumeExtension(database, actor, request.params.id, request.body)
      return answerVolume(context, actor, accepted, reply)
    },
  )
  app.post(
    '/volumes/:id/revert',
    { schema: { ...COMMON, summary: 'Return a volume to its most recent snapshot', body: REVERT } },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestRevert(database, actor, request.params.id, request.body)
      return answerVolume(context, actor, accepted, reply)
    },
  )
  app.post(
    '/volumes/:id/flatten',
    { schema: { ...COMMON, summary: 'Make a volume independent of what it was cloned from' } },
    async (request, reply) => {
      const actor = actorOf(request)
      return answerVolume(context, actor, await requestFlatten(database, actor, request.params.id), reply)
    },
  )
}

export async function answerVolume(
  context: ApiContext,
  actor: Actor,
  accepted: Accepted,
  reply: FastifyReply,
) {
  const operation = await accept(context, actor, accepted)
  const key = { id: accepted.resourceId, projectId: actor.projectId }
  const volume = await showIfPresent(context, 'volume', key, volumeView)
  return reply.code(202).send({ volume, operation })
}
