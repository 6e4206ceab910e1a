import { RequestError } from '../../domain/errors.ts'
import { IMAGE_LIMITS } from '../../domain/image-limits.ts'
import {
  type Comparison,
  type ImageCondition,
  type ImageListing,
  type ImageSort,
  SORT_KEYS,
  type SortKey,
} from '../../database/images/list.ts'
import type { ImageReader } from '../../database/images/visible.ts'
import { quoted } from '../validation-message.ts'

const TEXTS = {
  name: 'name',
  id: 'id',
  status: 'status',
  disk_format: 'diskFormat',
  container_format: 'containerFormat',
  owner: 'projectId',
  checksum: 'checksum',
  os_hash_algo: 'osHashAlgo',
  os_hash_value: 'osHashValue',
} as const
/** glance/db/sqlalchemy/api.py: _make_image_filters; only these take `in:`. */
const LISTED = ['name', 'id', 'status', 'disk_format', 'container_format']
const NUMBERS = {
  size: 'sizeBytes',
  virtual_size: 'virtualSizeBytes',
  min_disk: 'minDisk',
  min_ram: 'minRam',
} as const
const TIMES = { created_at: 'createdAt', updated_at: 'updatedAt' } as const
const FLAGS = { protected: 'protected', os_hidden: 'osHidden' } as const
const COMPARISONS: Readonly<Record<string, Comparison>> = {
  eq: '=',
  neq: '!=',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
}
const VISIBILITIES = ['public', 'community', 'shared', 'private', 'all'] as const
const MEMBER_STATUSES = ['pending', 'accepted', 'rejected', 'all'] as const
const PAGING = ['limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'visibility', 'member_status']
const ISO_TIME = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/

/** What a query asks for. Throws RequestError 400, as Glance does. */
export function listingOf(query: URLSearchParams, reader: ImageReader): ImageListing {
  const visibility = oneOf(query, 'visibility', VISIBILITIES)
  const marker = query.get('marker')
  const conditions = [...query].flatMap(([name, value]) =>
    PAGING.includes(name) ? [] : [conditionOf(name, value)],
  )
  if (!query.has('os_hidden'))
    conditions.push({ is: 'number', column: 'osHidden', comparison: '=', value: 0 })
  return {
    reader,
    ...(visibility === undefined ? {} : { visibility }),
    memberStatus: oneOf(query, 'member_status', MEMBER_STATUSES) ?? 'accepted',
    conditions,
    sort: sortOf(query),
    limit: limitOf(query),
    ...(marker === null ? {} : { marker }),
  }
}

/** Larger ones are cut, as Glance does. */
export function limitOf(query: URLSearchParams): number {
  const given = query.get('limit')
  if (given === null) return IMAGE_LIMITS.pageSizeDefault
  if (!/^\d{1,15}$/.test(given)) throw invalid('limit', 'a whole number of at least 0', given)
  return Math.min(Number(given), IMAGE_LIMITS.pageSizeMax)
}

function conditionOf(name: string, value: string): ImageCondition {
  if (isKey(TEXTS, name)) return { is: 'text', column: TEXTS[name], values: valuesOf(name, value) }
  if (isKey(TIMES, name)) return timeCondition(name, value)
  if (isKey(FLAGS, name)) {
    return { is: 'number', column: FLAGS[name], comparison: '=', value: flagOf(name, value) }
  }
  if (name === 'tag') return { is: 'tag', tag: value }
  const bounded = /^(.+)_(min|max)$/.exec(name)
  const base = bounded?.[1] ?? name
  if (isKey(NUMBERS, name)) {
    return { is: 'number', column: NUMBERS[name], comparison: '=', value: wholeOf(name, value) }
  }
  if (isKey(NUMBERS, base)) {
    const comparison = bounded?.[2] === 'min' ? '>=' : '<='
    return { is: 'number', column: NUMBERS[base], comparison, value: wholeOf(name, value) }
  }
  return { is: 'property', name, value }
}

/** `in:a,"b,c"` or one value. A colon after anything else belongs to the value: names may have colons. */
function valuesOf(name: string, value: string): string[] {
  if (!LISTED.includes(name)) return [value]
  if (value.startsWith('eq:')) return [value.slice('eq:'.length)]
  if (!value.startsWith('in:')) return [value]
  const list = value.slice('in:'.length)
  const values: string[] = []
  const part = /(?:"([^"]*)"|([^",]*))(,|$)/y
  while (part.lastIndex < list.length) {
    const found = part.exec(list)
    if (found === null) throw invalid(name, 'values with balanced quotes, and commas between them', value)
    values.push(found[1] ?? found[2] ?? '')
    if (found[3] === '') break
  }
  if (values.length > 0 && values.length <= IMAGE_LIMITS.filterValuesMax) return values
  throw invalid(name, `1 to ${IMAGE_LIMITS.filterValuesMax} values`, value)
}

function timeCondition(name: keyof typeof TIMES, value: string): ImageCondition {
  const parts = /^([a-z]+):(.*)$/.exec(value)
  const comparison = COMPARISONS[parts?.[1] ?? 'eq']
  const time = parts?.[2] ?? value
  const parsed = ISO_TIME.test(time) ? Date.parse(zoned(time)) : Number.NaN
  if (comparison === undefined || Number.isNaN(parsed)) {
    throw invalid(
      name,
      `an ISO 8601 time, or one of ${Object.keys(COMPARISONS).join(', ')} and a colon before it`,
      value,
    )
  }
  return { is: 'time', column: TIMES[name], comparison, value: new Date(parsed).toISOString().slice(0, 19) }
}

/** Without a zone it is UTC. */
function zoned(time: string): string {
  const normal = time.replace(' ', 'T')
  return /T/.test(normal) && !/(?:Z|[+-]\d{2}:?\d{2})$/.test(normal) ? `${normal}Z` : normal
}

function sortOf(query: URLSearchParams): ImageSort[] {
  const [keys, directions] = [query.getAll('sort_key'), query.getAll('sort_dir')]
  const sort = query.get('sort')
  if (sort !== null && keys.length + directions.length > 0) {
    throw new RequestError(
      400,
      'invalidRequest',
      'Old and new sorting syntax cannot be combined: expected either sort, or sort_key and sort_dir.',
    )
  }
  const pairs =
    sort === null
      ? paired(keys, directions)
      : sort.split(',').map((part) => part.trim().split(':', 2) as [string, string?])
  if (pairs.length > IMAGE_LIMITS.sortKeysMax)
    throw invalid('sort_key', `at most ${IMAGE_LIMITS.sortKeysMax} times`, pairs.length)
  const parsed = pairs.map(([key, direction = 'desc']) => ({
    key: sortKeyOf(key),
    descending: descendingOf(direction),
  }))
  const isByTime = parsed.some(({ key }) => key === 'created_at' || key === 'id')
  return isByTime ? parsed : [...parsed, { key: 'created_at', descending: true }]
}

/** One direction is for all keys; else there is one for each. */
function paired(keys: readonly string[], directions: readonly string[]): [string, string?][] {
  const wanted = keys.length === 0 && directions.length > 0 ? ['created_at'] : keys
  if (directions.length > 1 && directions.length !== wanted.length) {
    throw new RequestError(
      400,
      'invalidRequest',
      'Number of sort dirs does not match the number of sort keys.',
    )
  }
  return wanted.map((key, index) => {
    const direction = directions.length > 1 ? directions[index] : directions[0]
    return direction === undefined ? [key] : [key, direction]
  })
}

function sortKeyOf(key: string): SortKey {
  const known = SORT_KEYS.find((one) => one === key)
  if (known !== undefined) return known
  throw invalid('sort key', `one of ${SORT_KEYS.join(', ')}`, key)
}

function descendingOf(direction: string): boolean {
  if (direction === 'asc' || direction === 'desc') return direction === 'desc'
  throw invalid('sort direction', 'asc or desc', direction)
}

function flagOf(name: string, value: string): number {
  if (/^(?:true|1)$/i.test(value)) return 1
  if (/^(?:false|0)$/i.test(value)) return 0
  throw invalid(name, 'true or false', value)
}

function wholeOf(name: string, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw invalid(name, 'a whole number of at least 0', value)
}

function oneOf<T extends string>(query: URLSearchParams, name: string, values: readonly T[]): T | undefined {
  const given = query.get(name)
  if (given === null) return undefined
  const found = values.find((value) => value === given)
  if (found === undefined) throw invalid(name, `one of ${values.join(', ')}`, given)
  return found
}

function isKey<T extends object>(object: T, name: PropertyKey): name is keyof T {
  return Object.hasOwn(object, name)
}

function invalid(name: string, expected: string, value: unknown): RequestError {
  return new RequestError(400, 'invalidRequest', `Expected ${name} to be ${expected}, got ${quoted(value)}.`)
}
