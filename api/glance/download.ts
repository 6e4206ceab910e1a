import type { FastifyReply, FastifyRequest } from 'fastify'
import { DriverError, RequestError } from '../../domain/errors.ts'
import type { ImageRecord } from '../../database/images/parts.ts'
import type { ApiContext, App } from '../context.ts'
import { HttpError } from '../http-error.ts'
import { callerOf } from '../identity/caller.ts'
import { type ByteRange, rangeOf } from './byte-range.ts'
import { streamFile } from './file-stream.ts'
import { imageIdOf } from './reader.ts'
import { showImage } from './show-image.ts'

/** The very bytes that were uploaded, whatever their format: their hashes are those of the image. */
export function downloadRoutes(app: App, context: ApiContext): void {
  app.get('/v2/images/:id/file', async (request, reply) => {
    const image = await showImage(context, request, imageIdOf(request))
    if (image.status === 'deactivated' && !callerOf(request).isAdmin) {
      throw new RequestError(
        403,
        'imageDeactivated',
        'The requested image has been deactivated. Image data download is forbidden.',
      )
    }
    const { sizeBytes } = image
    if (image.stores.length === 0 || sizeBytes === null) return reply.code(204).send()
    return send(context, request, reply, { image, sizeBytes })
  })
}

async function send(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { image, sizeBytes }: { image: ImageRecord; sizeBytes: number },
) {
  const etag = `"${image.osHashValue ?? ''}"`
  void reply.header('etag', etag).header('accept-ranges', 'bytes')
  const range = rangeFor(request, reply, { etag, sizeBytes })
  const bytes = await readFrom(context, image, range ?? { start: 0, end: sizeBytes })
  void reply.type('application/octet-stream')
  if (range === undefined) {
    if (image.checksum !== null) void reply.header('content-md5', image.checksum)
    return reply.header('content-length', sizeBytes).send(bytes)
  }
  const { start, end } = range
  return reply
    .code(206)
    .header('content-range', `bytes ${start}-${end - 1}/${sizeBytes}`)
    .header('content-length', end - start)
    .send(bytes)
}

function rangeFor(
  request: FastifyRequest,
  reply: FastifyReply,
  { etag, sizeBytes }: { etag: string; sizeBytes: number },
): ByteRange | undefined {
  const { range, 'if-range': ifRange } = request.headers
  if (range === undefined || (ifRange !== undefined && ifRange !== etag)) return undefined
  const wanted = rangeOf(range, sizeBytes)
  if (wanted !== 'unsatisfiable') return wanted
  void reply.header('content-range', `bytes */${sizeBytes}`)
  throw new HttpError(416, 'rangeNotSatisfiable', `Expected one range within ${sizeBytes} bytes.`)
}

/** The image's own store, or another that has a copy. */
async function readFrom(context: ApiContext, image: ImageRecord, range: ByteRange) {
  const name = image.stores.find((store) => context.imageStores.has(store))
  const store = context.imageStores.get(name ?? '')
  if (store === undefined) {
    throw new HttpError(503, 'storeMissing', `No store of image ${image.id} is configured in this service.`)
  }
  try {
    if (store.imageFile !== undefined) return await streamFile(await store.imageFile(image.id), range)
    return await store.readImage(image.id, range)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    if (error.kind === 'notFound')
      throw new RequestError(404, 'imageBytesMissing', `The bytes of image ${image.id} could not be found.`)
    throw new HttpError(503, 'storeUnavailable', error.message, { cause: error })
  }
}
