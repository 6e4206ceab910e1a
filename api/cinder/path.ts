/** The project's id in a path is optional since 3.67: routes are written without it. */

/** What may follow `/v3/` besides a project's id. */
const COLLECTIONS = new Set([
  ...['volumes', 'snapshots', 'backups', 'types', 'attachments', 'limits', 'messages', 'extensions'],
  ...['os-quota-sets', 'os-quota-class-sets', 'os-availability-zone', 'os-services', 'os-hosts'],
  ...['scheduler-stats', 'capabilities', 'resource_filters', 'default-types', 'workers', 'clusters'],
  ...['os-volume-transfer', 'volume-transfers', 'qos-specs', 'groups', 'group_snapshots', 'group_types'],
  ...['consistencygroups', 'cgsnapshots', 'manageable_volumes', 'manageable_snapshots'],
  ...['os-volume-manage', 'os-snapshot-manage', 'snapshot'],
])

const BELOW_V3 = /^\/volume\/v3\/([^/?]+)([/?].*)?$/
const PROJECT_ID = /^[A-Za-z0-9_-]{1,64}$/

/** `/volume/v3/PROJECT/volumes?limit=1` -> `/volume/v3/volumes?limit=1`; any other URL as it is. */
export function withoutProject(url: string): string {
  const project = projectOf(url)
  return project === undefined ? url : `/volume/v3${url.slice('/volume/v3/'.length + project.length)}`
}

/** The project that the path names; undefined: none. */
export function projectOf(url: string): string | undefined {
  const [, segment] = BELOW_V3.exec(url) ?? []
  return segment !== undefined && PROJECT_ID.test(segment) && !COLLECTIONS.has(segment) ? segment : undefined
}
