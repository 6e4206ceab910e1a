/** Tables of our own Keystone, and of quotas. */
export interface IdentitySchema {
  identityDomains: IdentityRecordTable
  identityProjects: IdentityRecordTable
  identityRoles: IdentityRecordTable
  identityUsers: IdentityUsersTable
  identityApplicationCredentials: ApplicationCredentialsTable
  identityGuesses: GuessesTable
  identityAssignments: AssignmentsTable
  identityTokens: TokensTable
  quotas: QuotasTable
}

interface QuotasTable {
  scope: 'project' | 'class' | 'config'
  /** Of a project, else `default`. */
  scopeId: string
  resource: string
  /** -1: none. */
  hardLimit: number
}

export interface IdentityRecordTable {
  id: string
  /** '' for domains and roles, whose names are unique everywhere. */
  domainId: string
  name: string
  description: string
  enabled: number
  createdAt: string
}

export interface IdentityUsersTable extends IdentityRecordTable {
  email: string | null
  defaultProjectId: string | null
  /** Null: cannot log in with a password. */
  passwordHash: string | null
}

interface ApplicationCredentialsTable {
  id: string
  userId: string
  projectId: string
  name: string
  description: string
  secretHash: string
  /** JSON array: what it may at most, of what its user may. */
  roleIds: string
  /** Whether it may make further credentials. */
  unrestricted: number
  expiresAt: string | null
  createdAt: string
}

/** Wrong passwords in a row. */
interface GuessesTable {
  /** `user:<id>` or `credential:<id>`. */
  subject: string
  failures: number
  lockedUntilMs: number
}

export type ScopeType = 'project' | 'domain' | 'system'

interface AssignmentsTable {
  userId: string
  scopeType: ScopeType
  /** `all` of the system. */
  scopeId: string
  roleId: string
}

interface TokensTable {
  /** SHA-256 of the token, which nobody but its owner has. */
  hash: string
  userId: string
  scopeType: ScopeType | null
  scopeId: string | null
  applicationCredentialId: string | null
  /** JSON arrays. */
  methods: string
  auditIds: string
  issuedAt: string
  expiresAt: string
}
