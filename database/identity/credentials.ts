import { randomBytes } from 'node:crypto'
import type { Selectable } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import { IDENTITY_LIMITS } from '../../domain/identity-limits.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import { forgetGuesses } from './guesses.ts'
import { hashPassword } from './passwords.ts'
import { newId } from './records.ts'
import type { IdentitySchema } from './schema.ts'

export type CredentialRow = Selectable<IdentitySchema['identityApplicationCredentials']>

export interface NewCredential {
  readonly userId: string
  readonly projectId: string
  readonly name: string
  readonly description: string
  readonly roleIds: readonly string[]
  readonly unrestricted: boolean
  readonly expiresAt: string | null
  /** Default: a random one. */
  readonly secret?: string
}

/** Its secret is told once. Throws RequestError 409 when the user has one of this name, or too many. */
export async function createCredential(
  database: Database,
  { secret = randomBytes(IDENTITY_LIMITS.tokenBytes).toString('hex'), ...credential }: NewCredential,
): Promise<{ secret: string; row: CredentialRow }> {
  const row: CredentialRow = {
    ...credential,
    id: newId(),
    secretHash: await hashPassword(secret),
    roleIds: JSON.stringify(credential.roleIds),
    unrestricted: credential.unrestricted ? 1 : 0,
    createdAt: new Date().toISOString(),
  }
  await database.transaction().execute(async (tx) => {
    const others = await listCredentials(tx, credential.userId)
    if (others.some(({ name }) => name === credential.name))
      throw new RequestError(
        409,
        'conflict',
        `Conflict occurred attempting to store application_credential - Duplicate entry found with name ${credential.name}.`,
      )
    if (others.length >= IDENTITY_LIMITS.applicationCredentialsPerUser)
      throw new RequestError(
        403,
        'tooMany',
        `Expected at most ${IDENTITY_LIMITS.applicationCredentialsPerUser} application credentials of a user.`,
      )
    await tx.insertInto('identityApplicationCredentials').values(row).execute()
  })
  return { secret, row }
}

export async function listCredentials(database: Database | Tx, userId: string): Promise<CredentialRow[]> {
  return database
    .selectFrom('identityApplicationCredentials')
    .selectAll()
    .where('userId', '=', userId)
    .orderBy('name')
    .execute()
}

export async function findCredential(database: Database, id: string): Promise<CredentialRow | undefined> {
  return database
    .selectFrom('identityApplicationCredentials')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
}

/** Its tokens end with it. */
export async function deleteCredential(tx: Tx, { id }: CredentialRow): Promise<void> {
  await tx.deleteFrom('identityTokens').where('applicationCredentialId', '=', id).execute()
  await tx.deleteFrom('identityApplicationCredentials').where('id', '=', id).execute()
  await forgetGuesses(tx, `credential:${id}`)
}
