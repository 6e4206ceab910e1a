import { randomUUID } from 'node:crypto'
import type { Selectable, Updateable } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import { IDENTITY_LIMITS } from '../../domain/identity-limits.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import type { IdentityRecordTable, IdentityUsersTable } from './schema.ts'

const TABLES = {
  domain: 'identityDomains',
  project: 'identityProjects',
  role: 'identityRoles',
  user: 'identityUsers',
} as const

export type RecordType = keyof typeof TABLES
export type RecordRow = Selectable<IdentityRecordTable>
export type UserRow = Selectable<IdentityUsersTable>

interface RowOf {
  domain: RecordRow
  project: RecordRow
  role: RecordRow
  user: UserRow
}

export interface RecordFilter {
  readonly domainId?: string
  readonly name?: string
  readonly enabled?: boolean
  readonly ids?: readonly string[]
}

/** By name. */
export async function listRecords<T extends RecordType>(
  database: Database | Tx,
  type: T,
  { domainId, name, enabled, ids }: RecordFilter = {},
): Promise<RowOf[T][]> {
  if (ids?.length === 0) return []
  let query = database
    .selectFrom(tableOf(type))
    .selectAll()
    .orderBy('name')
    .orderBy('id')
    .limit(IDENTITY_LIMITS.listMax)
  if (domainId !== undefined) query = query.where('domainId', '=', domainId)
  if (name !== undefined) query = query.where('name', '=', name)
  if (enabled !== undefined) query = query.where('enabled', '=', enabled ? 1 : 0)
  if (ids !== undefined) query = query.where('id', 'in', ids.slice(0, IDENTITY_LIMITS.listMax))
  return (await query.execute()) as RowOf[T][]
}

export async function findRecord<T extends RecordType>(
  database: Database | Tx,
  type: T,
  id: string,
): Promise<RowOf[T] | undefined> {
  const row = await database.selectFrom(tableOf(type)).selectAll().where('id', '=', id).executeTakeFirst()
  return row as RowOf[T] | undefined
}

/** Throws RequestError 404. */
export async function requireRecord<T extends RecordType>(
  database: Database | Tx,
  type: T,
  id: string,
): Promise<RowOf[T]> {
  const row = await findRecord(database, type, id)
  if (row !== undefined) return row
  throw new RequestError(404, `${type}NotFound`, `Could not find ${type}: ${id}.`)
}

export type NewRecord<T extends RecordType> = Omit<RowOf[T], 'id' | 'createdAt' | 'enabled'> & {
  readonly id?: string
  readonly enabled?: number
}

/** Throws RequestError 409 when the name is taken. */
export async function createRecord<T extends RecordType>(
  tx: Tx,
  type: T,
  record: NewRecord<T>,
): Promise<RowOf[T]> {
  await requireFreeName(tx, type, record)
  const row = {
    ...record,
    id: record.id ?? newId(),
    enabled: record.enabled ?? 1,
    createdAt: new Date().toISOString(),
  }
  await tx
    .insertInto(tableOf(type))
    .values(row as UserRow)
    .execute()
  return row as unknown as RowOf[T]
}

/** Throws RequestError 404 and 409. */
export async function changeRecord<T extends RecordType>(
  tx: Tx,
  type: T,
  id: string,
  change: Partial<RowOf[T]>,
): Promise<RowOf[T]> {
  const row = await requireRecord(tx, type, id)
  if (change.name !== undefined && change.name !== row.name)
    await requireFreeName(tx, type, { domainId: row.domainId, name: change.name })
  if (Object.keys(change).length > 0)
    await tx
      .updateTable(tableOf(type))
      .set(change as Updateable<IdentityUsersTable>)
      .where('id', '=', id)
      .execute()
  return { ...row, ...change }
}

/** As Keystone's: 32 hex digits. */
export function newId(): string {
  return randomUUID().replaceAll('-', '')
}

async function requireFreeName(
  tx: Tx,
  type: RecordType,
  { domainId, name }: { domainId: string; name: string },
): Promise<void> {
  const [taken] = await listRecords(tx, type, { domainId, name })
  if (taken === undefined) return
  throw new RequestError(
    409,
    'conflict',
    `Conflict occurred attempting to store ${type} - Duplicate entry found with name ${name}${domainId === '' ? '' : ` at domain ID ${domainId}`}.`,
  )
}

/** Users have the columns of the others. */
export function tableOf(type: RecordType): 'identityUsers' {
  return TABLES[type] as 'identityUsers'
}
