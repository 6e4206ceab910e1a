/** Lists as Cinder's clients ask for them: any filter, any order, pages by marker or offset. */
import { type ExpressionBuilder, type ExpressionWrapper, type SqlBool, sql } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import type { Schema } from '../schema.ts'

/** Tables that are listed so; `volumes` stands for all of them in types: the columns that are named here they share, or the caller knows. */
export type ListedTable =
  | 'volumes'
  | 'snapshots'
  | 'backups'
  | 'volumeTypes'
  | 'volumeTransfers'
  | 'volumeConnections'
  | 'messages'

export type Comparison = '=' | '!=' | '>' | '>=' | '<' | '<='

export type Condition =
  | { readonly column: string; readonly in: readonly (string | number | null)[] }
  | { readonly column: string; readonly notIn: readonly string[] }
  | { readonly column: string; readonly like: string }
  | { readonly column: string; readonly op: Comparison; readonly value: string | number }
  /** A JSON object of strings has this entry. */
  | { readonly column: string; readonly entry: readonly [key: string, value: string] }
  | { readonly any: readonly Condition[] }
  | { readonly all: readonly Condition[] }

export interface Listing {
  /** Undefined: all projects. */
  readonly projectId?: string
  readonly where: readonly Condition[]
  readonly sort: readonly { readonly column: string; readonly dir: 'asc' | 'desc' }[]
  readonly limit: number
  readonly offset: number
  /** Id of the last row of the page before. */
  readonly marker?: string
}

type Columns = ExpressionBuilder<Schema, 'volumes'>
type Where = ExpressionWrapper<Schema, 'volumes', SqlBool>

/** The rows, in the wanted order; ties go by id. Throws RequestError 404 for a marker that is not there. */
export async function listRows<T extends ListedTable>(
  database: Database,
  table: T,
  listing: Listing,
): Promise<Row<T>[]> {
  const sort = [...listing.sort, { column: 'id', dir: listing.sort.at(-1)?.dir ?? 'desc' }] as const
  const marker = listing.marker === undefined ? undefined : await markerRow(database, table, listing.marker)
  let query = database
    .selectFrom(table as 'volumes')
    .selectAll()
    .where((eb) => eb.and(conditions(eb, listing)))
    .limit(listing.limit)
    .offset(listing.offset)
  if (marker !== undefined) query = query.where((eb) => behind(eb, sort, marker))
  for (const { column, dir } of sort) query = query.orderBy(ordered(column), dir)
  return (await query.execute()) as unknown as Row<T>[]
}

export async function countRows(database: Database, table: ListedTable, listing: Listing): Promise<number> {
  const { count } = await database
    .selectFrom(table as 'volumes')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where((eb) => eb.and(conditions(eb, listing)))
    .executeTakeFirstOrThrow()
  return Number(count)
}

export type Row<T extends ListedTable> = {
  [K in keyof Schema[T]]: Schema[T][K] extends { readonly __select__: infer S } ? S : Schema[T][K]
}

async function markerRow(
  database: Database,
  table: ListedTable,
  id: string,
): Promise<Record<string, unknown>> {
  const row = await database
    .selectFrom(table as 'volumes')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (row === undefined) throw new RequestError(404, 'markerNotFound', `Marker ${id} could not be found.`)
  return row
}

function conditions(eb: Columns, { projectId, where }: Listing): Where[] {
  const all = where.map((condition) => sqlOf(eb, condition))
  if (projectId !== undefined) all.push(eb('projectId', '=', projectId) as Where)
  return all
}

function sqlOf(eb: Columns, condition: Condition): Where {
  if ('any' in condition) return eb.or(condition.any.map((one) => sqlOf(eb, one))) as Where
  if ('all' in condition) return eb.and(condition.all.map((one) => sqlOf(eb, one))) as Where
  const column = condition.column as 'name'
  if ('in' in condition) {
    const values = condition.in.filter((value) => value !== null) as string[]
    const isNull = condition.in.includes(null) ? [eb(column, 'is', null)] : []
    return eb.or([...(values.length === 0 ? [] : [eb(column, 'in', values)]), ...isNull]) as Where
  }
  if ('notIn' in condition) return eb(column, 'not in', condition.notIn) as Where
  if ('like' in condition) {
    const pattern = `%${condition.like.replaceAll(/[!%_]/g, '!$&')}%`
    return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '!'` as unknown as Where
  }
  if ('entry' in condition) {
    const [key, value] = condition.entry
    const entry = `${JSON.stringify(key)}:${JSON.stringify(value)}`
    // Quotes inside of strings are escaped, so these can only be where an entry begins.
    return eb.or(
      ['{', ','].map(
        (before) => sql<SqlBool>`replace(${sql.ref(column)}, ${before + entry}, '') <> ${sql.ref(column)}`,
      ),
    ) as Where
  }
  return eb(column, condition.op, condition.value as string) as Where
}

/** Rows behind the marker: equal in the first columns and behind it in the next one. */
function behind(
  eb: Columns,
  sort: readonly { column: string; dir: 'asc' | 'desc' }[],
  marker: Record<string, unknown>,
): Where {
  const choices = sort.map(({ column, dir }, at) => {
    const before = sort
      .slice(0, at)
      .map((one) => sql<SqlBool>`${ordered(one.column)} = ${valueOf(marker, one.column)}`)
    const op = sql.raw(dir === 'asc' ? '>' : '<')
    return eb.and([...before, sql<SqlBool>`${ordered(column)} ${op} ${valueOf(marker, column)}`])
  })
  return eb.or(choices) as Where
}

/** Nulls come where the two databases agree: as empty texts. */
const NULLABLE = new Set(['name', 'description', 'updatedAt', 'volumeType', 'snapshotId'])

function ordered(column: string) {
  return NULLABLE.has(column)
    ? sql<string>`coalesce(${sql.ref(column)}, '')`
    : sql<string>`${sql.ref(column)}`
}

function valueOf(row: Record<string, unknown>, column: string): unknown {
  return NULLABLE.has(column) ? (row[column] ?? '') : row[column]
}
