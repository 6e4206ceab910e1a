import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { RequestError } from '../../domain/errors.ts'
import { requireOwnImage } from '../../database/images/visible.ts'
import type { Actor } from '../../database/operations/accept.ts'
import { chooseImageStore } from '../../database/requests/uploads.ts'
import type { ApiContext, App } from '../context.ts'
import { HttpError } from '../http-error.ts'
import { endUnread } from '../uploads/end-unread.ts'
import { type IncomingUpload, receiveStage, receiveUpload } from '../uploads/receive-upload.ts'
import { quoted } from '../validation-message.ts'
import { actorFor, imageIdOf, readerOf } from './reader.ts'
import { started } from './started.ts'
import { storeHeader } from './store-header.ts'
import { awaitUpload } from './upload-answer.ts'

export function uploadRoutes(app: App, context: ApiContext): void {
  app.put('/v2/images/:id/file', async (request, reply) => {
    try {
      const { actor, imageId, incoming } = await prepared(context, request)
      const { operationId } = await receiveUpload(context, actor, imageId, incoming)
      void started(context, reply, operationId)
      await awaitUpload(context, { operationId, projectId: actor.projectId })
      return await reply.code(204).send()
    } finally {
      endUnread(request.raw, reply.raw, context.closing)
    }
  })
  app.put('/v2/images/:id/stage', async (request, reply) => {
    try {
      const { actor, imageId, incoming } = await prepared(context, request)
      await receiveStage(context, actor, imageId, incoming)
      return await reply.code(204).send()
    } finally {
      endUnread(request.raw, reply.raw, context.closing)
    }
  })
}

async function prepared(
  context: ApiContext,
  request: FastifyRequest,
): Promise<{ actor: Actor; imageId: string; incoming: IncomingUpload }> {
  if (!(request.body instanceof Readable)) {
    throw new HttpError(415, 'invalidMediaType', 'Expected content of the type application/octet-stream.')
  }
  const image = await requireOwnImage(context.database, readerOf(request), imageIdOf(request))
  const store = storeHeader(request)
  if (store !== undefined && store !== image.store)
    await chooseImageStore(context.database, { imageId: image.id, store }, context.places)
  return { actor: actorFor(request, image), imageId: image.id, incoming: incomingOf(request) }
}

function incomingOf(request: FastifyRequest): IncomingUpload {
  const announced = request.headers['content-length']
  const expected = request.headers['x-openstack-image-size']
  if (expected !== undefined && !(typeof expected === 'string' && /^\d{1,15}$/.test(expected))) {
    throw new RequestError(
      400,
      'invalidHeader',
      `Expected header x-openstack-image-size to be a whole number, got ${quoted(expected)}.`,
    )
  }
  if (expected !== undefined && announced !== undefined && Number(expected) !== Number(announced)) {
    throw new RequestError(
      400,
      'sizeMismatch',
      `Expected x-openstack-image-size (${expected}) to equal the length of the content (${announced}).`,
    )
  }
  return {
    message: request.raw,
    ...(announced === undefined ? {} : { sizeBytes: Number(announced) }),
    ...(expected === undefined ? {} : { expectedSizeBytes: Number(expected) }),
  }
}
