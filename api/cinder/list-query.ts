/** Query strings of Cinder's lists: filters, order, pages. */
import type { FastifyRequest } from 'fastify'
import {
  type Comparison,
  type Condition,
  type Listing,
  type ListedTable,
} from '../../database/cinder/list.ts'
import { LIMITS } from '../../domain/limits.ts'
import { callerOf } from '../identity/caller.ts'
import { quoted } from '../validation-message.ts'
import { Fault } from './fault.ts'
import { booleanOf } from './fields.ts'
import { minorOf } from './microversion.ts'
import { parseDictionary } from './dictionary.ts'
import { parseTime } from './times.ts'

/** How a filter is read: the text of the query, to what the rows must meet. */
export type Filter = (text: string) => Condition[]

export interface ListKind {
  readonly table: ListedTable
  /** Cinder's name of a field -> column. */
  readonly sortColumns: Readonly<Record<string, string>>
  readonly filters: Readonly<Record<string, Filter>>
  /** Since when a filter is known; older requests may name it, and it does nothing. */
  readonly filterSince?: Readonly<Record<string, number>>
}

export interface ListQuery {
  readonly listing: Listing
  readonly withCount: boolean
}

const PAGING = new Set([
  'limit',
  'offset',
  'marker',
  'sort',
  'sort_key',
  'sort_dir',
  'all_tenants',
  'with_count',
])
/** Since when unknown filters are refused, patterns (`name~`) understood, and counts given. */
const STRICT_FILTERS = 31
const PATTERNS = 34
const COUNTS = 45

export function parseListQuery(request: FastifyRequest, kind: ListKind): ListQuery {
  const query = queryOf(request)
  const { projectId, isAdmin } = callerOf(request)
  const allProjects = isAdmin && booleanOf('all_tenants', query.all_tenants ?? 'false')
  const wanted = allProjects ? query.project_id : projectId
  const marker = query.marker
  return {
    listing: {
      ...(wanted === undefined ? {} : { projectId: wanted }),
      where: Object.entries(query).flatMap(([name, text]) => filter(request, kind, name, text)),
      sort: sortOf(query, kind),
      limit: Math.min(wholeNumber('limit', query.limit, LIMITS.pageSizeMax), LIMITS.pageSizeMax),
      offset: wholeNumber('offset', query.offset, 0),
      ...(marker === undefined ? {} : { marker }),
    },
    withCount: minorOf(request) >= COUNTS && booleanOf('with_count', query.with_count ?? 'false'),
  }
}

/** Of a parameter that is given several times, the last one. */
export function queryOf(request: FastifyRequest): Readonly<Record<string, string>> {
  const given = request.query as Record<string, string | string[]>
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : (value.at(-1) ?? ''),
    ]),
  )
}

function filter(request: FastifyRequest, kind: ListKind, name: string, text: string): Condition[] {
  if (PAGING.has(name) || name === 'project_id') return []
  const minor = minorOf(request)
  const isPattern = name.endsWith('~') && minor >= PATTERNS
  const field = isPattern ? name.slice(0, -1) : name
  const known = Object.hasOwn(kind.filters, field) ? kind.filters[field] : undefined
  if (known === undefined) {
    if (minor < STRICT_FILTERS || callerOf(request).isAdmin) return []
    throw new Fault(400, `Invalid filters ${name} are found in query options.`)
  }
  if (minor < (kind.filterSince?.[field] ?? 0)) return []
  if (!isPattern) return known(text)
  return known(text).map((one) => ('in' in one ? { column: one.column, like: text } : one))
}

function sortOf(query: Readonly<Record<string, string>>, { sortColumns }: ListKind): Listing['sort'] {
  if (query.sort !== undefined && (query.sort_key !== undefined || query.sort_dir !== undefined))
    throw new Fault(400, 'Expected either sort, or sort_key and sort_dir, got both.')
  const parts =
    query.sort === undefined
      ? [`${query.sort_key ?? 'created_at'}:${query.sort_dir ?? 'desc'}`]
      : query.sort.split(',')
  if (parts.length > Object.keys(sortColumns).length)
    throw new Fault(400, 'Expected each sort key at most once.')
  return parts.map((part) => {
    const [key = '', dir = 'desc', ...rest] = part.trim().split(':')
    const column = Object.hasOwn(sortColumns, key) ? sortColumns[key] : undefined
    if (column === undefined || rest.length > 0 || (dir !== 'asc' && dir !== 'desc')) {
      const keys = Object.keys(sortColumns).join(', ')
      throw new Fault(400, `Expected to sort by one of ${keys} with asc or desc, got ${quoted(part)}.`)
    }
    return { column, dir }
  })
}

function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(value)) return value
  throw new Fault(400, `Expected ${name} to be a whole number that is not negative, got ${quoted(text)}.`)
}

export const equals =
  (column: string): Filter =>
  (text) => [{ column, in: [text] }]

export const isTrue =
  (column: string): Filter =>
  (text) => [{ column, in: [booleanOf(column, text) ? 1 : 0] }]

export const hasEntries =
  (column: string): Filter =>
  (text) => {
    const entries = parseDictionary(text)
    if (entries === undefined)
      throw new Fault(400, `Expected a dictionary such as {'key': 'value'}, got ${quoted(text)}.`)
    return entries.map((entry) => ({ column, entry }))
  }

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  gt: '>',
  gte: '>=',
  eq: '=',
  neq: '!=',
  lt: '<',
  lte: '<=',
}

/** `gt:2026-11-27T10:00:00,lt:2026-11-28`. */
export const compares =
  (column: string): Filter =>
  (text) =>
    text.split(',').map((part) => {
      const at = part.indexOf(':')
      const op = COMPARISONS[part.slice(0, at)]
      const value = parseTime(part.slice(at + 1))
      if (op !== undefined && value !== undefined) return { column, op, value }
      throw new Fault(400, `Expected a comparison such as gt:2026-11-27T10:00:00, got ${quoted(part)}.`)
    })
