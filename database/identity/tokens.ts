import { createHash, randomBytes } from 'node:crypto'
import type { Selectable } from 'kysely'
import { IDENTITY_LIMITS } from '../../domain/identity-limits.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import type { Scope } from './assignments.ts'
import type { IdentitySchema } from './schema.ts'

export type TokenRow = Selectable<IdentitySchema['identityTokens']>

export interface NewToken {
  readonly userId: string
  readonly scope: Scope | undefined
  readonly applicationCredentialId: string | null
  readonly methods: readonly string[]
  /** The token from which this one is made: its end is this one's, too. */
  readonly parent?: TokenRow
}

/** A token, which is told once and kept as a hash. */
export async function issueToken(tx: Tx, token: NewToken): Promise<{ secret: string; row: TokenRow }> {
  const { userId, scope, applicationCredentialId, methods, parent } = token
  // Digits and letters: `openstack token revoke` takes a token that begins with a dash for an option.
  const secret = randomBytes(IDENTITY_LIMITS.tokenBytes).toString('hex')
  const nowMs = Date.now()
  const auditIds = [randomBytes(16).toString('base64url'), ...parsed(parent?.auditIds).slice(-1)]
  const row: TokenRow = {
    hash: hashOf(secret),
    userId,
    scopeType: scope?.scopeType ?? null,
    scopeId: scope?.scopeId ?? null,
    applicationCredentialId,
    methods: JSON.stringify([...new Set([...methods, ...parsed(parent?.methods)])]),
    auditIds: JSON.stringify(auditIds),
    issuedAt: new Date(nowMs).toISOString(),
    expiresAt: parent?.expiresAt ?? new Date(nowMs + IDENTITY_LIMITS.tokenLifeMs).toISOString(),
  }
  await makeRoom(tx, userId)
  await tx.insertInto('identityTokens').values(row).execute()
  return { secret, row }
}

/** The token while it is valid. */
export async function findToken(database: Database | Tx, secret: string): Promise<TokenRow | undefined> {
  return database
    .selectFrom('identityTokens')
    .selectAll()
    .where('hash', '=', hashOf(secret))
    .where('expiresAt', '>', new Date().toISOString())
    .executeTakeFirst()
}

export async function revokeToken(database: Database | Tx, { hash }: TokenRow): Promise<void> {
  await database.deleteFrom('identityTokens').where('hash', '=', hash).execute()
}

/** After a change of the password, for example. */
export async function revokeTokensOf(tx: Tx, userId: string): Promise<void> {
  await tx.deleteFrom('identityTokens').where('userId', '=', userId).execute()
}

async function makeRoom(tx: Tx, userId: string): Promise<void> {
  const expired = await tx
    .selectFrom('identityTokens')
    .select('hash')
    .where('expiresAt', '<', new Date().toISOString())
    .limit(IDENTITY_LIMITS.prunedAtOnce)
    .execute()
  const older = await tx
    .selectFrom('identityTokens')
    .select('hash')
    .where('userId', '=', userId)
    .orderBy('issuedAt', 'desc')
    .offset(IDENTITY_LIMITS.tokensPerUser - 1)
    .limit(IDENTITY_LIMITS.prunedAtOnce)
    .execute()
  const hashes = [...expired, ...older].map(({ hash }) => hash)
  if (hashes.length > 0) await tx.deleteFrom('identityTokens').where('hash', 'in', hashes).execute()
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

function parsed(list: string | undefined): string[] {
  return list === undefined ? [] : (JSON.parse(list) as string[])
}
