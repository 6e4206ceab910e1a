import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { RequestError } from '../../domain/errors.ts'
import type { App } from '../context.ts'
import { publicUrlOf } from '../public-url.ts'
import { endpoints, regions, services } from './catalog.ts'
import { type KeystoneContext, selfOf } from './context.ts'
import { ID_PARAMS } from './fields.ts'
import { listView } from './views.ts'

const QUERY = z.record(z.string(), z.union([z.string(), z.array(z.string())]))

/** The services that there are. They come with the program: nobody adds or removes one. */
export function catalogRoutes(app: App, context: KeystoneContext): void {
  const kinds = {
    region: () => regions(),
    service: () => services(),
    endpoint: (request: FastifyRequest) => endpoints(publicUrlOf(context, request)),
  }
  for (const [kind, list] of Object.entries(kinds)) {
    const find = (request: FastifyRequest): Record<string, unknown>[] => list(request)
    app.get(`/${kind}s`, { schema: { querystring: QUERY, hide: true } }, async (request) => {
      const items = find(request).filter((item) => matches(item, request.query))
      return listView(`${kind}s`, items, selfOf(context, request))
    })
    app.get(`/${kind}s/:id`, { schema: { params: ID_PARAMS, hide: true } }, async (request) => {
      const { id } = request.params
      const item = find(request).find((candidate) => candidate.id === id)
      if (item === undefined) throw new RequestError(404, `${kind}NotFound`, `Could not find ${kind}: ${id}.`)
      return { [kind]: item }
    })
  }
}

function matches(item: Record<string, unknown>, query: z.infer<typeof QUERY>): boolean {
  return Object.entries(query).every(([name, value]) => !(name in item) || item[name] === value)
}
