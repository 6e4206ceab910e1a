import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import { assignedRoles, type Scope, withImplied } from './assignments.ts'
import { findRecord, type RecordRow, type UserRow } from './records.ts'
import { findToken, type TokenRow } from './tokens.ts'

/** A valid token with what it says today: who loses a role or is disabled has lost it at once. */
export interface Session {
  readonly token: TokenRow
  readonly user: UserRow
  readonly userDomain: RecordRow
  readonly scope: SessionScope | undefined
  readonly roles: readonly RecordRow[]
}

export type SessionScope =
  | { readonly type: 'project'; readonly project: RecordRow; readonly domain: RecordRow }
  | { readonly type: 'domain'; readonly domain: RecordRow }
  | { readonly type: 'system' }

/** Undefined: the token says nothing, or nothing any more. */
export async function openSession(database: Database, secret: string): Promise<Session | undefined> {
  const token = await findToken(database, secret)
  return token === undefined ? undefined : sessionOfToken(database, token)
}

export async function sessionOfToken(database: Database | Tx, token: TokenRow): Promise<Session | undefined> {
  const user = await findRecord(database, 'user', token.userId)
  if (user?.enabled !== 1) return undefined
  const userDomain = await findRecord(database, 'domain', user.domainId)
  if (userDomain?.enabled !== 1) return undefined
  const { scopeType, scopeId } = token
  if (scopeType === null || scopeId === null) return { token, user, userDomain, scope: undefined, roles: [] }
  const scope = await openScope(database, { scopeType, scopeId })
  const roles = await rolesIn(database, token, { scopeType, scopeId })
  // A scope without a role is no scope.
  if (scope === undefined || roles.length === 0) return undefined
  return { token, user, userDomain, scope, roles }
}

/** Undefined: it does not exist, or is disabled. */
export async function openScope(
  database: Database | Tx,
  { scopeType, scopeId }: Scope,
): Promise<SessionScope | undefined> {
  if (scopeType === 'system') return { type: 'system' }
  const record = await findRecord(database, scopeType, scopeId)
  if (record?.enabled !== 1) return undefined
  if (scopeType === 'domain') return { type: 'domain', domain: record }
  const domain = await findRecord(database, 'domain', record.domainId)
  return domain?.enabled === 1 ? { type: 'project', project: record, domain } : undefined
}

/** With what they imply. An application credential has at most the roles that it was made with, and that its user still has. */
async function rolesIn(
  database: Database | Tx,
  { userId, applicationCredentialId }: TokenRow,
  scope: Scope,
): Promise<RecordRow[]> {
  const roles = await withImplied(database, await assignedRoles(database, userId, scope))
  if (applicationCredentialId === null) return roles
  const credential = await database
    .selectFrom('identityApplicationCredentials')
    .select(['roleIds', 'expiresAt'])
    .where('id', '=', applicationCredentialId)
    .executeTakeFirst()
  if (credential === undefined) return []
  if (credential.expiresAt !== null && credential.expiresAt <= new Date().toISOString()) return []
  const allowed = JSON.parse(credential.roleIds) as string[]
  return withImplied(
    database,
    roles.filter(({ id }) => allowed.includes(id)),
  )
}
