/** What a caller must be allowed to do. Which route or action needs which, the API says. */
export type Rule = 'read' | 'write' | 'admin'

export interface Rights {
  /** Everything, in every project. */
  readonly isAdmin: boolean
  /** Looks at what its project has, and changes nothing. */
  readonly readOnly: boolean
}

/**
 * OpenStack's default roles, of which each includes the next: `admin`, `member`, `reader`. Undefined: none of them, so nothing is allowed.
 * A role that we do not know adds nothing.
 */
export function rightsOf(roles: readonly string[]): Rights | undefined {
  const has = (role: string) => roles.some((name) => name.toLowerCase() === role)
  if (has('admin')) return { isAdmin: true, readOnly: false }
  if (has('member')) return { isAdmin: false, readOnly: false }
  return has('reader') ? { isAdmin: false, readOnly: true } : undefined
}

export function allows({ isAdmin, readOnly }: Rights, rule: Rule): boolean {
  if (rule === 'admin') return isAdmin
  return rule === 'read' || !readOnly
}

/** Whether a resource of this project exists for the caller: for all others it is a 404, as if nobody had it. */
export function sees(caller: Rights & { readonly projectId: string }, projectId: string): boolean {
  return caller.isAdmin || caller.projectId === projectId
}

/** Itself and what comes with it, as Keystone implies it. */
export function impliedRoles(role: string): string[] {
  const chain = ['admin', 'member', 'reader']
  const index = chain.indexOf(role)
  return index === -1 ? [role] : chain.slice(index)
}
