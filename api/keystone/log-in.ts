import { z } from 'zod'
import { findCredential, listCredentials, type CredentialRow } from '../../database/identity/credentials.ts'
import { guess } from '../../database/identity/guesses.ts'
import { findRecord, listRecords, type RecordRow, type UserRow } from '../../database/identity/records.ts'
import { findToken, type TokenRow } from '../../database/identity/tokens.ts'
import type { Database } from '../../database/open.ts'
import { DOMAIN, ID, NAME, PASSWORD } from './fields.ts'
import { unauthorized } from './fault.ts'

const USER = z.object({ id: ID.exactOptional(), name: NAME.exactOptional(), domain: DOMAIN.exactOptional() })

export const IDENTITY = z.object({
  methods: z.array(z.string()).min(1).max(4),
  password: z.object({ user: USER.extend({ password: PASSWORD }) }).exactOptional(),
  token: z.object({ id: z.string().max(4_096) }).exactOptional(),
  application_credential: z
    .object({
      id: ID.exactOptional(),
      name: NAME.exactOptional(),
      user: USER.exactOptional(),
      secret: PASSWORD,
    })
    .exactOptional(),
})

type Identity = z.infer<typeof IDENTITY>

/** Who has logged in, and by what. */
export interface LoggedIn {
  readonly userId: string
  readonly methods: readonly string[]
  readonly credential?: CredentialRow
  /** The token that was shown. */
  readonly parent?: TokenRow
}

/** Throws RequestError 401. */
export async function logIn(database: Database, identity: Identity): Promise<LoggedIn> {
  const [method, ...others] = identity.methods
  if (others.length > 0) throw unauthorized()
  if (method === 'password' && identity.password !== undefined)
    return withPassword(database, identity.password.user)
  if (method === 'token' && identity.token !== undefined) return withToken(database, identity.token.id)
  if (method === 'application_credential' && identity.application_credential !== undefined)
    return withCredential(database, identity.application_credential)
  throw unauthorized()
}

async function withPassword(
  database: Database,
  { password, ...who }: NonNullable<Identity['password']>['user'],
): Promise<LoggedIn> {
  const user = await findUser(database, who)
  const subject = `user:${user?.id ?? ''}`
  const isRight = await guess(database, subject, { password, hash: user?.passwordHash ?? null })
  if (user === undefined || !isRight) throw unauthorized()
  return { userId: user.id, methods: ['password'] }
}

async function withToken(database: Database, secret: string): Promise<LoggedIn> {
  const parent = await findToken(database, secret)
  if (parent === undefined) throw unauthorized()
  return { userId: parent.userId, methods: ['token'], parent }
}

async function withCredential(
  database: Database,
  { secret, ...which }: NonNullable<Identity['application_credential']>,
): Promise<LoggedIn> {
  const credential = await findTheCredential(database, which)
  const subject = `credential:${credential?.id ?? ''}`
  const isRight = await guess(database, subject, {
    password: secret,
    hash: credential?.secretHash ?? null,
  })
  if (credential === undefined || !isRight) throw unauthorized()
  return { userId: credential.userId, methods: ['application_credential'], credential }
}

async function findTheCredential(
  database: Database,
  { id, name, user: who }: Omit<NonNullable<Identity['application_credential']>, 'secret'>,
): Promise<CredentialRow | undefined> {
  if (id !== undefined) return findCredential(database, id)
  if (who === undefined) return undefined
  const user = await findUser(database, who)
  if (user === undefined) return undefined
  return (await listCredentials(database, user.id)).find((credential) => credential.name === name)
}

async function findUser(database: Database, who: z.infer<typeof USER>): Promise<UserRow | undefined> {
  if (who.id !== undefined) return findRecord(database, 'user', who.id)
  return findNamed(database, 'user', who)
}

/** By name in a domain, which may have no name, and is then the default one. */
export async function findNamed<T extends 'user' | 'project'>(
  database: Database,
  type: T,
  { name, domain }: { name?: string; domain?: z.infer<typeof DOMAIN> },
): Promise<(T extends 'user' ? UserRow : RecordRow) | undefined> {
  if (name === undefined) return undefined
  const owner = await findDomain(database, domain ?? { id: 'default' })
  if (owner === undefined) return undefined
  const [found] = await listRecords(database, type, { domainId: owner.id, name })
  return found as (T extends 'user' ? UserRow : RecordRow) | undefined
}

export async function findDomain(
  database: Database,
  { id, name }: z.infer<typeof DOMAIN>,
): Promise<RecordRow | undefined> {
  if (id !== undefined) return findRecord(database, 'domain', id)
  if (name === undefined) return undefined
  return (await listRecords(database, 'domain', { name }))[0]
}
