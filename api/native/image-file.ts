import type { FastifyRequest } from 'fastify'
import { RequestError } from '../../domain/errors.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { endUnread } from '../uploads/end-unread.ts'
import { receiveUpload, type IncomingUpload } from '../uploads/receive-upload.ts'
import { quoted } from '../validation-message.ts'
import { accept, showOne } from './answers.ts'
import { ERRORS, ID_PARAMS } from './fields.ts'
import { IMAGE_ACCEPTED } from './schemas.ts'
import { imageView } from './views.ts'

const SHA512 = /^[0-9a-f]{128}$/

const SCHEMA = {
  tags: ['images'],
  summary: 'Upload the bytes of an image',
  description:
    'The body is the image file. Optional header `x-volflow-sha512`: the upload is refused when the bytes have another hash. ' +
    'Whatever goes wrong, the image is `queued` again afterwards.',
  consumes: ['application/octet-stream'],
  params: ID_PARAMS,
  response: { 202: IMAGE_ACCEPTED, ...ERRORS },
}

export function imageFileRoutes(app: App, context: ApiContext): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    // The bytes stay a stream: the route hands it to the image store.
    scope.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
    const upload = scope as unknown as App
    upload.put('/images/:id/file', { schema: SCHEMA }, async (request, reply) => {
      const actor = actorOf(request)
      const { id } = request.params
      try {
        const accepted = await receiveUpload(context, actor, id, incoming(request))
        const operation = await accept(context, actor, accepted)
        const image = await showOne(context, 'image', { id, projectId: actor.projectId }, imageView)
        return await reply.code(202).send({ image, operation })
      } finally {
        endUnread(request.raw, reply.raw, context.closing)
      }
    })
  })
}

function incoming(request: FastifyRequest): IncomingUpload {
  const sha512 = request.headers['x-volflow-sha512']
  if (sha512 !== undefined && !(typeof sha512 === 'string' && SHA512.test(sha512))) {
    throw new RequestError(
      400,
      'invalidHeader',
      `Expected header x-volflow-sha512 to be 128 lower-case hex digits, got ${quoted(sha512)}.`,
    )
  }
  const announced = request.headers['content-length']
  return {
    message: request.raw,
    ...(announced === undefined ? {} : { sizeBytes: Number(announced) }),
    ...(sha512 === undefined ? {} : { sha512 }),
  }
}
