import { z } from 'zod'
import { assignedRoles, type Scope } from '../../database/identity/assignments.ts'
import { findRecord } from '../../database/identity/records.ts'
import type { Database } from '../../database/open.ts'
import { forbidden, unauthorized } from './fault.ts'
import { DOMAIN, ID, NAME } from './fields.ts'
import { findDomain, findNamed, type LoggedIn } from './log-in.ts'

export const SCOPE = z.union([
  z.literal('unscoped'),
  z.object({
    project: z
      .object({ id: ID.exactOptional(), name: NAME.exactOptional(), domain: DOMAIN.exactOptional() })
      .exactOptional(),
    domain: DOMAIN.exactOptional(),
    system: z.object({ all: z.boolean() }).exactOptional(),
    unscoped: z.object({}).exactOptional(),
  }),
])

type Wanted = z.infer<typeof SCOPE>

/** What the token shall be good for. Throws RequestError 401. Undefined: nothing but asking for another one. */
export async function chooseScope(
  database: Database,
  { userId, credential, parent }: LoggedIn,
  wanted: Wanted | undefined,
): Promise<Scope | undefined> {
  if (credential !== undefined) {
    if (wanted !== undefined) throw unauthorized()
    return { scopeType: 'project', scopeId: credential.projectId }
  }
  const scope =
    wanted === undefined ? await defaultScope(database, userId, parent) : await find(database, wanted)
  // What an application credential was made for cannot be widened by its tokens.
  if (parent?.applicationCredentialId != null && scope?.scopeId !== parent.scopeId) throw forbidden()
  return scope
}

async function find(database: Database, wanted: Wanted): Promise<Scope | undefined> {
  if (wanted === 'unscoped' || wanted.unscoped !== undefined) return undefined
  if (wanted.system?.all === true) return { scopeType: 'system', scopeId: 'all' }
  if (wanted.domain !== undefined) {
    const domain = await findDomain(database, wanted.domain)
    if (domain === undefined) throw unauthorized()
    return { scopeType: 'domain', scopeId: domain.id }
  }
  const { project } = wanted
  if (project === undefined) throw unauthorized()
  if (project.id !== undefined) return { scopeType: 'project', scopeId: project.id }
  const found = await findNamed(database, 'project', project)
  if (found === undefined) throw unauthorized()
  return { scopeType: 'project', scopeId: found.id }
}

/** The user's own project, where it has one that still lets it in. */
async function defaultScope(
  database: Database,
  userId: string,
  parent: LoggedIn['parent'],
): Promise<Scope | undefined> {
  if (parent?.scopeType != null && parent.scopeId !== null)
    return { scopeType: parent.scopeType, scopeId: parent.scopeId }
  const user = await findRecord(database, 'user', userId)
  if (user?.defaultProjectId == null) return undefined
  const scope = { scopeType: 'project', scopeId: user.defaultProjectId } as const
  return (await assignedRoles(database, userId, scope)).length === 0 ? undefined : scope
}
