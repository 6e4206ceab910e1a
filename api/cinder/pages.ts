import type { FastifyRequest } from 'fastify'
import type { ApiContext } from '../context.ts'
import type { ListQuery } from './list-query.ts'
import { nextLink } from './links.ts'

interface Page {
  readonly query: ListQuery
  readonly rows: readonly { readonly id: string }[]
  readonly items: readonly object[]
  readonly count: () => Promise<number>
}

/** `{volumes: […], volumes_links: […], count}`. A full page has a next one, which may turn out to be empty. */
export async function pageOf(
  context: ApiContext,
  request: FastifyRequest,
  name: string,
  { query, rows, items, count }: Page,
) {
  const last = rows.length === query.listing.limit ? rows.at(-1) : undefined
  return {
    [name]: items,
    ...(last === undefined ? {} : { [`${name}_links`]: [nextLink(context, request, last.id)] }),
    ...(query.withCount ? { count: await count() } : {}),
  }
}
