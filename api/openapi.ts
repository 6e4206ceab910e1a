import type { SwaggerOptions } from '@fastify/swagger'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'

const DIALECTS = /^\/volume/

export const OPENAPI_OPTIONS: SwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'volflow',
      version: '1',
      description:
        'Durable storage operations. A request that starts work is answered with 202 and an operation to follow. ' +
        '`X-Auth-Token` is a token of `/identity/v3`, and its project the one whose resources are meant; administrators may name another one ' +
        'with `X-Project-Id`. With `Idempotency-Key` a repeated request gets the first answer.',
    },
  },
  transform: (route) => {
    // What other services' clients speak is described where they are; this is our own API.
    const schema = DIALECTS.test(route.url) ? { ...route.schema, hide: true } : route.schema
    return jsonSchemaTransform({ ...route, schema: schema ?? {} })
  },
  transformObject: (document) => {
    const openapi = jsonSchemaTransformObject(document) as unknown as OpenApiDocument
    return withoutUnused(openapi) as never
  },
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { summary?: string }>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

/** Every schema is offered as input and as output; what nothing refers to is noise. */
function withoutUnused(document: OpenApiDocument): OpenApiDocument {
  const { schemas } = document.components
  const used = new Set<string>()
  const queue: unknown[] = [document.paths]
  for (let part = queue.pop(); part !== undefined; part = queue.pop()) {
    for (const name of referencesIn(part)) {
      if (used.has(name)) continue
      used.add(name)
      queue.push(schemas[name])
    }
  }
  const kept = Object.entries(schemas).filter(([name]) => used.has(name))
  return {
    ...document,
    components: {
      ...document.components,
      schemas: Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    },
  }
}

function referencesIn(part: unknown): string[] {
  return [...JSON.stringify(part).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
    ([, name]) => name ?? '',
  )
}
