import type { FastifyRequest } from 'fastify'
import { addTag, removeTag } from '../../database/images/change.ts'
import type { ApiContext, App } from '../context.ts'
import { checked } from './bodies.ts'
import { TAG } from './fields.ts'
import { imageIdOf, readerOf } from './reader.ts'

export function tagRoutes(app: App, { database }: ApiContext): void {
  app.put('/v2/images/:id/tags/:tag', async (request, reply) => {
    await addTag(database, readerOf(request), { imageId: imageIdOf(request), tag: tagOf(request) })
    return reply.code(204).send()
  })
  app.delete('/v2/images/:id/tags/:tag', async (request, reply) => {
    await removeTag(database, readerOf(request), { imageId: imageIdOf(request), tag: tagOf(request) })
    return reply.code(204).send()
  })
}

function tagOf(request: FastifyRequest): string {
  return checked('tag', TAG, (request.params as { tag?: string }).tag)
}
