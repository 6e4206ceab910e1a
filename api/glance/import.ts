import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { RequestError } from '../../domain/errors.ts'
import type { ImageRow } from '../../database/read.ts'
import { requireOwnImage } from '../../database/images/visible.ts'
import { requestImageCopies } from '../../database/requests/copy-image.ts'
import { requestImport } from '../../database/requests/uploads.ts'
import type { ApiContext, App } from '../context.ts'
import { quoted } from '../validation-message.ts'
import { jsonBody } from './bodies.ts'
import { IMPORT_METHODS, type ImportMethod } from './import-methods.ts'
import { actorFor, imageIdOf, readerOf } from './reader.ts'
import { started } from './started.ts'
import { storeHeader } from './store-header.ts'

const BODY = z.object({
  method: z.object({ name: z.string() }),
  stores: z.array(z.string()).exactOptional(),
  all_stores: z.boolean().exactOptional(),
  all_stores_must_succeed: z.boolean().exactOptional(),
})
type ImportBody = z.infer<typeof BODY>

export function importRoutes(app: App, context: ApiContext): void {
  app.post('/v2/images/:id/import', async (request, reply) => {
    const body = jsonBody(request, BODY)
    const method = methodOf(body)
    const image = await requireOwnImage(context.database, readerOf(request), imageIdOf(request))
    const start = method === 'copy-image' ? copy : importStaged
    return start(context, request, reply, { image, body })
  })
}

function methodOf({ method: { name } }: ImportBody): ImportMethod {
  const method = IMPORT_METHODS.find((one) => one === name)
  if (method !== undefined) return method
  throw new RequestError(
    400,
    'importMethodUnknown',
    `Expected an import method that is offered here (${IMPORT_METHODS.join(', ')}), got ${quoted(name)}.`,
  )
}

interface Wanted {
  readonly image: ImageRow
  readonly body: ImportBody
}

async function importStaged(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { image, body }: Wanted,
) {
  requireStagedIn(image, storesOf(context, request, body))
  const { operationId } = await requestImport(context.database, actorFor(request, image), image.id)
  return started(context, reply, operationId).code(202).send()
}

/** One operation for each store; the header names the first. */
async function copy(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { image, body }: Wanted,
) {
  const stores = storesOf(context, request, body)
  if (stores === undefined)
    throw new RequestError(400, 'storesMissing', 'Expected stores or all_stores for copy-image.')
  const operationIds = await requestImageCopies(context.database, actorFor(request, image), {
    imageId: image.id,
    stores,
  })
  for (const operationId of operationIds.toReversed()) void started(context, reply, operationId)
  return reply.code(202).send()
}

/** Undefined: the request leaves it to us. Throws RequestError 400 for a contradiction or an unknown store. */
function storesOf(
  { places }: ApiContext,
  request: FastifyRequest,
  { stores, all_stores: all = false }: ImportBody,
): readonly string[] | undefined {
  const header = storeHeader(request)
  if ([stores !== undefined && stores.length > 0, all, header !== undefined].filter(Boolean).length > 1) {
    throw new RequestError(
      400,
      'invalidRequest',
      'Expected one of stores, all_stores and the header x-image-meta-store.',
    )
  }
  const wanted = all ? places.stores : (stores ?? (header === undefined ? [] : [header]))
  const unknown = wanted.find((store) => !places.stores.includes(store))
  if (unknown !== undefined) {
    throw new RequestError(
      400,
      'unknownPlace',
      `Expected configured stores (${places.stores.join(', ')}), got ${quoted(unknown)}.`,
    )
  }
  return wanted.length === 0 ? undefined : wanted
}

/** The bytes wait in the store where the image will be. */
function requireStagedIn({ store }: ImageRow, wanted: readonly string[] | undefined): void {
  if (wanted === undefined || (wanted.length === 1 && wanted[0] === store)) return
  throw new RequestError(
    400,
    'storeNotStaged',
    `The bytes are staged in store ${store}: expected an import into that one alone.`,
  )
}
