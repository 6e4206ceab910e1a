import type { FastifyRequest } from 'fastify'
import type { ApiContext } from '../context.ts'
import { callerOf } from '../identity/caller.ts'
import { publicUrlOf } from '../public-url.ts'

export interface Link {
  readonly rel: string
  readonly href: string
}

/** `self` below /v3, and `bookmark` without a version. */
export type LinksOf = (collection: string, id: string) => Link[]

export function linksFor(context: ApiContext, request: FastifyRequest): LinksOf {
  const base = `${publicUrlOf(context, request)}/volume`
  const { projectId } = callerOf(request)
  return (collection, id) => [
    { rel: 'self', href: `${base}/v3/${projectId}/${collection}/${id}` },
    { rel: 'bookmark', href: `${base}/${projectId}/${collection}/${id}` },
  ]
}

/** The same list, behind this row. */
export function nextLink(context: ApiContext, request: FastifyRequest, marker: string): Link {
  const url = new URL(request.originalUrl, 'http://host')
  url.searchParams.delete('offset')
  url.searchParams.set('marker', marker)
  return { rel: 'next', href: `${publicUrlOf(context, request)}${url.pathname}${url.search}` }
}
