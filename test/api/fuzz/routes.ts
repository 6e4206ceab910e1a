import type { FastifyInstance, RouteOptions } from 'fastify'
import { z } from 'zod'
import { IMAGE_BODIES } from './image-bodies.ts'
import type { Schema } from './values.ts'

export interface Route {
  readonly method: string
  /** `/operations/v1/volumes/:id` */
  readonly url: string
  readonly body?: Schema
  readonly query?: Schema
  /** What other Cinders have and this one has not: there is little to find out about it. */
  readonly isUnspoken: boolean
}

/**
 * Every route with the schemas that it checks its requests by. They are taken from the routes themselves and not from api/openapi.json, which is
 * made of the same schemas, but of the native API alone: the dialects are described by those who invented them.
 */
export function collectRoutes(app: FastifyInstance): readonly Route[] {
  const routes: Route[] = []
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) if (method !== 'HEAD') routes.push(routeOf(method, route))
  })
  return routes
}

function routeOf(method: string, { url, schema }: RouteOptions): Route {
  const body = IMAGE_BODIES[`${method} ${url}`] ?? jsonSchemaOf(schema?.body)
  const query = jsonSchemaOf(schema?.querystring)
  const isUnspoken = schema?.tags?.includes('not spoken') === true
  return { method, url, isUnspoken, ...(body && { body }), ...(query && { query }) }
}

function jsonSchemaOf(schema: unknown): Schema | undefined {
  if (!(schema instanceof z.ZodType)) return undefined
  const document = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' })
  return withoutReferences(document, document.$defs ?? {}) as Schema
}

/** Schemas that have a name are referred to; none of them contains itself. */
function withoutReferences(part: unknown, named: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(part)) return part.map((item) => withoutReferences(item, named))
  if (typeof part !== 'object' || part === null) return part
  const { $ref: reference, ...rest } = part as { $ref?: string }
  if (reference !== undefined) return withoutReferences(named[reference.slice('#/$defs/'.length)], named)
  return Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, withoutReferences(value, named)]),
  )
}
