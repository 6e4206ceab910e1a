import { type Expression, type ExpressionBuilder, sql, type SqlBool } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import { INVISIBLE_IMAGE_STATUS } from '../../domain/glance-status.ts'
import type { MemberStatus } from '../image-tables.ts'
import type { Database } from '../open.ts'
import type { ImageRow } from '../read.ts'
import type { Schema } from '../schema.ts'
import { type ImageReader, requireVisibleImage, sharedWith } from './visible.ts'

export const SORT_KEYS = [
  'name',
  'status',
  'container_format',
  'disk_format',
  'size',
  'id',
  'created_at',
  'updated_at',
] as const
export type SortKey = (typeof SORT_KEYS)[number]

export interface ImageSort {
  readonly key: SortKey
  readonly descending: boolean
}

type Column = 'name' | 'id' | 'status' | 'diskFormat' | 'containerFormat' | 'projectId'
type Text = Column | 'checksum' | 'osHashValue' | 'osHashAlgo'
type Whole = 'sizeBytes' | 'virtualSizeBytes' | 'minDisk' | 'minRam' | 'protected' | 'osHidden'
type Time = 'createdAt' | 'updatedAt'
export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>='

export type ImageCondition =
  | { readonly is: 'text'; readonly column: Text; readonly values: readonly string[] }
  | {
      readonly is: 'number'
      readonly column: Whole
      readonly comparison: Comparison
      readonly value: number
    }
  /** `value` without a fraction or zone, as Glance compares: `2026-11-27T10:00:00`. */
  | { readonly is: 'time'; readonly column: Time; readonly comparison: Comparison; readonly value: string }
  | { readonly is: 'property'; readonly name: string; readonly value: string }
  | { readonly is: 'tag'; readonly tag: string }

export interface ImageListing {
  readonly reader: ImageReader
  readonly visibility?: 'public' | 'community' | 'shared' | 'private' | 'all'
  /** Of images that are shared with the reader; `all`: whatever it said. */
  readonly memberStatus: MemberStatus | 'all'
  readonly conditions: readonly ImageCondition[]
  /** Most significant first. */
  readonly sort: readonly ImageSort[]
  readonly limit: number
  /** Id of the last image of the page before. */
  readonly marker?: string
}

type Builder = ExpressionBuilder<Schema, 'images'>

/** The images that the reader sees in a list, one page. Throws RequestError 400 for an unknown marker. */
export async function listImages(database: Database, listing: ImageListing): Promise<ImageRow[]> {
  const sort = [...listing.sort, { key: 'id', descending: listing.sort.at(-1)?.descending ?? true } as const]
  const last = listing.marker === undefined ? undefined : await markerRow(database, listing, listing.marker)
  let query = database
    .selectFrom('images')
    .selectAll()
    .where('status', '!=', INVISIBLE_IMAGE_STATUS)
    .where((eb) => seenIn(eb, listing))
    .limit(listing.limit)
  for (const condition of listing.conditions) query = query.where((eb) => matches(eb, condition))
  if (last !== undefined) query = query.where((eb) => behind(eb, sort, last))
  for (const { key, descending } of sort) {
    query = query.orderBy(sortExpression(key), descending ? 'desc' : 'asc')
  }
  return query.execute()
}

async function markerRow(database: Database, { reader }: ImageListing, marker: string): Promise<ImageRow> {
  try {
    return await requireVisibleImage(database, reader, marker)
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    throw new RequestError(400, 'invalidMarker', `Invalid marker: image ${marker} could not be found.`)
  }
}

/** glance/db/sqlalchemy/api.py: _select_images_query. Community images of others are listed only when they are asked for. */
function seenIn(eb: Builder, { reader, visibility, memberStatus }: ImageListing): Expression<SqlBool> {
  const { projectId, isAdmin } = reader
  const everything = sql<SqlBool>`1 = 1`
  const own = isAdmin ? everything : eb('images.projectId', '=', projectId)
  const is = (what: 'public' | 'community' | 'shared' | 'private') => eb('images.visibility', '=', what)
  const offered = sharedWith(eb, projectId, memberStatus === 'all' ? undefined : memberStatus)
  if (visibility === 'public' || visibility === 'community') return is(visibility)
  if (visibility === 'private') return eb.and([is('private'), own])
  if (visibility === 'shared') return eb.or([eb.and([is('shared'), own]), offered])
  const listed = [own, is('public'), offered]
  return eb.or(visibility === 'all' ? [...listed, is('community')] : listed)
}

function matches(eb: Builder, condition: ImageCondition): Expression<SqlBool> {
  switch (condition.is) {
    case 'text':
      return eb(condition.column, 'in', condition.values as string[] as never[])
    case 'number':
      // PostgreSQL takes a bare parameter for what the column is, and refuses one that is larger than an integer.
      return eb(condition.column, condition.comparison, sql<number>`cast(${condition.value} as bigint)`)
    case 'time':
      return eb(secondOf(condition.column), condition.comparison, condition.value)
    case 'tag':
      return eb(
        'images.id',
        'in',
        eb.selectFrom('imageTags').select('imageTags.imageId').where('imageTags.tag', '=', condition.tag),
      )
    case 'property':
      return hasProperty(condition)
  }
}

function secondOf(column: Time) {
  return sql<string>`substr(${timeExpression(column)}, 1, 19)`
}

function timeExpression(column: Time) {
  return column === 'createdAt'
    ? sql<string>`${sql.ref('images.createdAt')}`
    : sql<string>`coalesce(${sql.ref('images.updatedAt')}, ${sql.ref('images.createdAt')})`
}

/**
 * Looks for `"name":"value"` in the JSON, after the `{` or `,` that only the beginning of a name can follow unescaped. `replace` is how
 * both kinds of database find a text in another, letter by letter.
 */
function hasProperty({ name, value }: { name: string; value: string }): Expression<SqlBool> {
  const pair = `${JSON.stringify(name)}:${JSON.stringify(value)}`
  const metadata = sql.ref('images.metadata')
  return sql<SqlBool>`(replace(${metadata}, ${`{${pair}`}, '') <> ${metadata}
    or replace(${metadata}, ${`,${pair}`}, '') <> ${metadata})`
}

/** Behind `last` in the order: it ties in the keys before one, and comes later in that. */
function behind(eb: Builder, sort: readonly ImageSort[], last: ImageRow): Expression<SqlBool> {
  return eb.or(
    sort.map(({ key, descending }, index) =>
      eb.and([
        ...sort.slice(0, index).map((tie) => eb(sortExpression(tie.key), '=', sortValue(tie.key, last))),
        eb(sortExpression(key), descending ? '<' : '>', sortValue(key, last)),
      ]),
    ),
  )
}

/** What is not known yet comes before all else, on both kinds of database. */
function sortExpression(key: SortKey) {
  switch (key) {
    case 'name':
    case 'status':
    case 'id':
      return sql<string | number>`coalesce(${sql.ref(`images.${key}`)}, '')`
    case 'container_format':
      return sql<string | number>`coalesce(${sql.ref('images.containerFormat')}, '')`
    case 'disk_format':
      return sql<string | number>`coalesce(${sql.ref('images.diskFormat')}, '')`
    case 'size':
      return sql<string | number>`coalesce(${sql.ref('images.sizeBytes')}, -1)`
    case 'created_at':
      return sql<string | number>`${timeExpression('createdAt')}`
    case 'updated_at':
      return sql<string | number>`${timeExpression('updatedAt')}`
  }
}

function sortValue(key: SortKey, row: ImageRow): string | number {
  switch (key) {
    case 'name':
      return row.name ?? ''
    case 'status':
    case 'id':
      return row[key]
    case 'container_format':
      return row.containerFormat ?? ''
    case 'disk_format':
      return row.diskFormat ?? ''
    case 'size':
      return row.sizeBytes ?? -1
    case 'created_at':
      return row.createdAt
    case 'updated_at':
      return row.updatedAt ?? row.createdAt
  }
}
