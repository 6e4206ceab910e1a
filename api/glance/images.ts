import type { FastifyReply, FastifyRequest } from 'fastify'
import { listImages } from '../../database/images/list.ts'
import { withParts } from '../../database/images/parts.ts'
import { requireOwnImage, requireVisibleImage } from '../../database/images/visible.ts'
import { changeImage } from '../../database/images/change.ts'
import { requestImage, requestImageDeletion } from '../../database/requests/images.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { callerOf } from '../identity/caller.ts'
import { listingOf } from './filters.ts'
import { imageView } from './image-view.ts'
import { IMPORT_METHODS } from './import-methods.ts'
import { newImageOf } from './new-image.ts'
import { patchOf } from './patch.ts'
import { actorFor, imageIdOf, readerOf } from './reader.ts'
import { showImage } from './show-image.ts'
import { started } from './started.ts'

export function imageRoutes(app: App, context: ApiContext): void {
  app.post('/v2/images', (request, reply) => create(context, request, reply))
  app.get('/v2/images', (request) => list(context, request))
  app.get('/v2/images/:id', async (request) =>
    imageView(await showImage(context, request, imageIdOf(request))),
  )
  app.patch('/v2/images/:id', async (request) => {
    const apply = patchOf(request, callerOf(request))
    return imageView(await changeImage(context.database, readerOf(request), imageIdOf(request), apply))
  })
  app.delete('/v2/images/:id', async (request, reply) => {
    const image = await requireOwnImage(context.database, readerOf(request), imageIdOf(request))
    const { operationId } = await requestImageDeletion(context.database, actorFor(request, image), image.id)
    return started(context, reply, operationId).code(204).send()
  })
}

async function create(context: ApiContext, request: FastifyRequest, reply: FastifyReply) {
  const { database, places } = context
  const { image, projectId } = newImageOf(request, callerOf(request))
  const actor = { ...actorOf(request), projectId }
  const { resourceId } = await requestImage(database, actor, places, image)
  const [record] = await withParts(database, [
    await requireVisibleImage(database, { projectId, isAdmin: false }, resourceId),
  ])
  if (record === undefined) throw new Error(`No image ${resourceId}`)
  return reply
    .code(201)
    .header('location', `/v2/images/${resourceId}`)
    .header('openstack-image-import-methods', IMPORT_METHODS.join(','))
    .header('openstack-image-store-ids', places.stores.join(','))
    .send(imageView(record))
}

/** One more is read than the page holds, to know whether there is another page. */
async function list(context: ApiContext, request: FastifyRequest) {
  const query = new URL(request.url, 'http://-').searchParams
  const listing = listingOf(query, readerOf(request))
  const rows =
    listing.limit === 0 ? [] : await listImages(context.database, { ...listing, limit: listing.limit + 1 })
  const images = await withParts(context.database, rows.slice(0, listing.limit))
  const last = images.at(-1)
  return {
    images: images.map(imageView),
    first: pagePath(query),
    ...(rows.length > listing.limit && last !== undefined ? { next: pagePath(query, last.id) } : {}),
    schema: '/v2/schemas/images',
  }
}

/** Relative to the endpoint, as Glance writes it. */
function pagePath(query: URLSearchParams, marker?: string): string {
  const page = new URLSearchParams(query)
  page.delete('marker')
  if (marker !== undefined) page.set('marker', marker)
  return page.size === 0 ? '/v2/images' : `/v2/images?${page.toString()}`
}
