import type { Database } from '../open.ts'
import { assignRole } from './assignments.ts'
import { forgetGuesses } from './guesses.ts'
import { hashPassword } from './passwords.ts'
import { changeRecord, createRecord, findRecord, listRecords } from './records.ts'
import { revokeTokensOf } from './tokens.ts'

export const DEFAULT_DOMAIN = {
  id: 'default',
  domainId: '',
  name: 'Default',
  description: 'The default domain',
}

/** What was made before anybody had to authenticate belongs to the project `default`: it is the administrator's. */
const FIRST_PROJECT = {
  id: 'default',
  domainId: DEFAULT_DOMAIN.id,
  name: 'admin',
  description: 'Of the administrator',
}

const ROLES = ['admin', 'member', 'reader']

/**
 * Makes what is missing: the default domain, the roles, and the administrator `name` with this password in the project `admin`. One that
 * exists gets the password, and its roles back: the way in for whoever has locked himself out.
 */
export async function bootstrapIdentity(
  database: Database,
  { name, password }: { name: string; password: string },
): Promise<void> {
  const passwordHash = await hashPassword(password)
  await database.transaction().execute(async (tx) => {
    const domainId = DEFAULT_DOMAIN.id
    if ((await findRecord(tx, 'domain', domainId)) === undefined)
      await createRecord(tx, 'domain', DEFAULT_DOMAIN)
    if ((await findRecord(tx, 'project', FIRST_PROJECT.id)) === undefined)
      await createRecord(tx, 'project', FIRST_PROJECT)
    for (const role of ROLES)
      if ((await listRecords(tx, 'role', { name: role })).length === 0)
        await createRecord(tx, 'role', { domainId: '', name: role, description: '' })
    const [known] = await listRecords(tx, 'user', { domainId, name })
    const user =
      known === undefined
        ? await createRecord(tx, 'user', {
            ...{ domainId, name, description: '', email: null },
            ...{ defaultProjectId: FIRST_PROJECT.id, passwordHash },
          })
        : await changeRecord(tx, 'user', known.id, { passwordHash, enabled: 1 })
    await revokeTokensOf(tx, user.id)
    await forgetGuesses(tx, `user:${user.id}`)
    const [admin] = await listRecords(tx, 'role', { name: 'admin' })
    if (admin === undefined) throw new Error('Expected the role admin to have been made')
    for (const scope of [
      { scopeType: 'project', scopeId: FIRST_PROJECT.id },
      { scopeType: 'system', scopeId: 'all' },
    ] as const)
      await assignRole(tx, { userId: user.id, roleId: admin.id, ...scope })
  })
}

/** Whether anybody could be an administrator. */
export async function isBootstrapped(database: Database): Promise<boolean> {
  const row = await database.selectFrom('identityUsers').select('id').limit(1).executeTakeFirst()
  return row !== undefined
}
