import { z } from 'zod'
import { requestMigration } from '../../database/requests/migrate-volume.ts'
import { requestReimage, requestRestoreIntoVolume } from '../../database/requests/replace-volume.ts'
import { requestVolumeUpload } from '../../database/requests/upload-volume.ts'
import type { Actor } from '../../database/operations/accept.ts'
import type { Accepted } from '../../database/operations/idempotency.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept, showIfPresent } from './answers.ts'
import { ERRORS, ID, ID_PARAMS, NAME, PLACE } from './fields.ts'
import { VOLUME_ACCEPTED, VOLUME_IMAGE_ACCEPTED } from './schemas.ts'
import { imageView, volumeView } from './views.ts'

const UPLOAD = z
  .strictObject({
    name: NAME.exactOptional().describe('Of the new image'),
    diskFormat: z.enum(['raw', 'qcow2']),
    store: PLACE.exactOptional(),
  })
  .meta({ id: 'UploadVolume' })

const REIMAGE = z.strictObject({ imageId: ID }).meta({ id: 'ReimageVolume' })
const MIGRATE = z.strictObject({ backend: PLACE }).meta({ id: 'MigrateVolume' })
const RESTORE = z.strictObject({ volumeId: ID }).meta({ id: 'RestoreIntoVolume' })

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
  replacementRoutes(app, context)
}

function replacementRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  const answer = async (actor: Actor, accepted: Accepted) => {
    const operation = await accept(context, actor, accepted)
    const key = { id: accepted.resourceId, projectId: actor.projectId }
    return { volume: await showIfPresent(context, 'volume', key, volumeView), operation }
  }
  const response = { 202: VOLUME_ACCEPTED, ...ERRORS }
  app.post(
    '/volumes/:id/reimage',
    {
      schema: {
        tags,
        summary: 'Give a volume the bytes of an image',
        params: ID_PARAMS,
        body: REIMAGE,
        response,
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const reimage = { volumeId: request.params.id, ...request.body }
      return reply.code(202).send(await answer(actor, await requestReimage(database, actor, reimage)))
    },
  )
  app.post(
    '/volumes/:id/migrate',
    {
      schema: {
        tags,
        summary: 'Move a volume to another backend',
        params: ID_PARAMS,
        body: MIGRATE,
        response,
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const migration = { volumeId: request.params.id, ...request.body }
      return reply
        .code(202)
        .send(await answer(actor, await requestMigration(database, actor, places, migration)))
    },
  )
  app.post(
    '/backups/:id/restore',
    {
      schema: {
        tags: ['backups'],
        summary: 'Give a volume the bytes of a backup',
        description: 'A new volume with them: `POST /volumes` with `backupId`.',
        params: ID_PARAMS,
        body: RESTORE,
        response,
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const restore = { backupId: request.params.id, ...request.body }
      return reply
        .code(202)
        .send(await answer(actor, await requestRestoreIntoVolume(database, actor, restore)))
    },
  )
}
