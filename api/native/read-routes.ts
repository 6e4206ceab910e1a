import type { z } from 'zod'
import { listResources } from '../../database/read.ts'
import type { StoredResourceType } from '../../database/resources.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { pageOf, type Rows, showOne } from './answers.ts'
import { ERRORS, ID_PARAMS, RESOURCE_QUERY } from './fields.ts'

export interface Readable<T extends StoredResourceType> {
  readonly type: T
  readonly one: z.ZodType
  readonly page: z.ZodType
  readonly view: (row: Rows[T]) => object
}

/** List and show: the same for every kind of resource. */
export function readRoutes<T extends StoredResourceType>(
  app: App,
  context: ApiContext,
  { type, one, page, view }: Readable<T>,
): void {
  const tags = [`${type}s`]
  app.get(
    `/${type}s`,
    {
      schema: {
        tags,
        summary: `List ${type}s, newest first`,
        querystring: RESOURCE_QUERY,
        response: { 200: page, ...ERRORS },
      },
    },
    async (request) => {
      const filter = { ...request.query, projectId: actorOf(request).projectId }
      const read = async (limit: number) =>
        (await listResources(context.database, type, { ...filter, limit })) as Rows[T][]
      return pageOf(filter.limit, read, view)
    },
  )
  app.get(
    `/${type}s/:id`,
    { schema: { tags, summary: `Show one ${type}`, params: ID_PARAMS, response: { 200: one, ...ERRORS } } },
    async (request) => {
      const key = { id: request.params.id, projectId: actorOf(request).projectId }
      return showOne(context, type, key, view)
    },
  )
}
