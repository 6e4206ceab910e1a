import { RequestError } from '../../domain/errors.ts'
import { impliedRoles } from '../../domain/policy.ts'
import { IDENTITY_LIMITS } from '../../domain/identity-limits.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import { listRecords, type RecordRow, requireRecord } from './records.ts'
import type { ScopeType } from './schema.ts'

export interface Scope {
  readonly scopeType: ScopeType
  /** `all` of the system. */
  readonly scopeId: string
}

export interface Assignment extends Scope {
  readonly userId: string
  readonly roleId: string
}

/** Throws RequestError 404 where user, role or scope do not exist. Repeatable. */
export async function assignRole(tx: Tx, assignment: Assignment): Promise<void> {
  await requireParts(tx, assignment)
  await tx
    .insertInto('identityAssignments')
    .values(assignment)
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Throws RequestError 404 where there is none. */
export async function unassignRole(tx: Tx, assignment: Assignment): Promise<void> {
  const { numDeletedRows } = await tx
    .deleteFrom('identityAssignments')
    .where('userId', '=', assignment.userId)
    .where('scopeType', '=', assignment.scopeType)
    .where('scopeId', '=', assignment.scopeId)
    .where('roleId', '=', assignment.roleId)
    .executeTakeFirst()
  if (numDeletedRows === 0n)
    throw new RequestError(404, 'assignmentNotFound', `Could not find role: ${assignment.roleId}.`)
}

export async function listAssignments(
  database: Database | Tx,
  filter: Partial<Assignment>,
): Promise<Assignment[]> {
  let query = database.selectFrom('identityAssignments').selectAll().limit(IDENTITY_LIMITS.listMax)
  for (const [column, value] of Object.entries(filter))
    if (value !== undefined) query = query.where(column as 'userId', '=', value)
  return query.execute()
}

/** What the user has there, without what that implies. */
export async function assignedRoles(
  database: Database | Tx,
  userId: string,
  scope: Scope,
): Promise<RecordRow[]> {
  const rows = await listAssignments(database, { userId, ...scope })
  return listRecords(database, 'role', { ids: rows.map(({ roleId }) => roleId) })
}

/** With what it implies, of which the names decide. */
export async function withImplied(
  database: Database | Tx,
  roles: readonly RecordRow[],
): Promise<RecordRow[]> {
  const names = new Set(roles.flatMap(({ name }) => impliedRoles(name)))
  const missing = [...names].filter((name) => !roles.some((role) => role.name === name))
  if (missing.length === 0) return [...roles]
  const implied = await database
    .selectFrom('identityRoles')
    .selectAll()
    .where('name', 'in', missing)
    .where('domainId', '=', '')
    .execute()
  return [...roles, ...implied]
}

async function requireParts(tx: Tx, { userId, roleId, scopeType, scopeId }: Assignment): Promise<void> {
  await requireRecord(tx, 'user', userId)
  await requireRecord(tx, 'role', roleId)
  if (scopeType !== 'system') await requireRecord(tx, scopeType, scopeId)
}
