import type { CredentialRow } from '../../database/identity/credentials.ts'
import type { RecordRow, RecordType, UserRow } from '../../database/identity/records.ts'
import type { Session } from '../../database/identity/sessions.ts'
import { IDENTITY_LIMITS } from '../../domain/identity-limits.ts'
import { catalog } from './catalog.ts'

/** `{links}` is all that needs our URL. */
export interface Linked {
  readonly identityUrl: string
}

export function recordView(type: RecordType, row: RecordRow | UserRow, { identityUrl }: Linked): object {
  const { id, name, description } = row
  const common = { id, name, description, options: {}, links: { self: `${identityUrl}/v3/${type}s/${id}` } }
  if (type === 'role') return { ...common, domain_id: null }
  const enabled = row.enabled === 1
  if (type === 'domain') return { ...common, enabled, tags: [] }
  const owned = { ...common, enabled, domain_id: row.domainId }
  if (type === 'project') return { ...owned, parent_id: row.domainId, is_domain: false, tags: [] }
  const { email, defaultProjectId } = row as UserRow
  return {
    ...owned,
    ...(email !== null && { email }),
    ...(defaultProjectId !== null && { default_project_id: defaultProjectId }),
    password_expires_at: null,
  }
}

/** A whole list; Keystone says so when there is more than it shows. */
export function listView(name: string, items: readonly object[], self: string): object {
  return {
    [name]: items,
    links: { self, previous: null, next: null },
    ...(items.length >= IDENTITY_LIMITS.listMax && { truncated: true }),
  }
}

export function credentialView(row: CredentialRow, roles: readonly RecordRow[]): object {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    user_id: row.userId,
    project_id: row.projectId,
    unrestricted: row.unrestricted === 1,
    expires_at: row.expiresAt?.replace(/Z$/, '') ?? null,
    roles: roles.map(({ id, name }) => ({ id, name, domain_id: null })),
    system: null,
  }
}

/** As `POST /auth/tokens` answers, and its validation. */
export function tokenView(session: Session, publicUrl: string, { withCatalog }: { withCatalog: boolean }) {
  const { token, user, userDomain, scope, roles } = session
  const projectId = scope?.type === 'project' ? scope.project.id : undefined
  return {
    token: {
      methods: JSON.parse(token.methods) as string[],
      user: { ...named(user), domain: named(userDomain), password_expires_at: null },
      audit_ids: JSON.parse(token.auditIds) as string[],
      issued_at: micros(token.issuedAt),
      expires_at: micros(token.expiresAt),
      ...(token.applicationCredentialId !== null && {
        application_credential: { id: token.applicationCredentialId },
      }),
      ...scopeView(session),
      ...(scope !== undefined && {
        roles: roles.map(named),
        ...(withCatalog && { catalog: catalog(publicUrl, projectId) }),
      }),
    },
  }
}

function scopeView({ scope }: Session): object {
  if (scope === undefined) return {}
  if (scope.type === 'system') return { system: { all: true } }
  if (scope.type === 'domain') return { domain: named(scope.domain), is_domain: true }
  return { project: { ...named(scope.project), domain: named(scope.domain) }, is_domain: false }
}

function named({ id, name }: { id: string; name: string }) {
  return { id, name }
}

/** Keystone's times have microseconds. */
function micros(time: string): string {
  return time.replace(/Z$/, '000Z')
}
