/**
 * A project's domain in a backup repository, whose names are lower case: a capital letter becomes `_` and its lower-case form, `_`
 * is doubled. Different projects never share a domain.
 */
export function backupDomain(projectId: string): string {
  return projectId.replace(/[A-Z_]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** The inverse. */
export function projectOfDomain(domain: string): string {
  return domain.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
}
