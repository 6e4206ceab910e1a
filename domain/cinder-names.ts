/**
 * The names that Cinder's drivers give. A backup has a prefix (`service_metadata` in Cinder's database), and below it
 * `<prefix>-00001`, `<prefix>_sha256file` and `<prefix>_metadata`, which is written last and makes the backup exist.
 */

/** Drivers for object stores, and those for folders. */
export type CinderStoreKind = 's3' | 'directory'

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const FLAT = new RegExp(`^volume_(${UUID})/(\\d{14})/az_[^/]{0,255}_backup_(${UUID})$`)
const NESTED = new RegExp(`^volume_(${UUID})_(\\d{14})_backup_(${UUID})$`)
const METADATA = '_metadata'
const CHUNK = /^-[0-9]{5,9}$/
const OBJECT = /^(.*)(?:-[0-9]{5,9}|_sha256file|_metadata)$/
const STAGED = 'volflow-uncommitted/'

/** Where a backup is: `folder` is empty in a bucket, and ends with a slash in a folder. */
export interface BackupLocation {
  readonly folder: string
  readonly prefix: string
  readonly volumeId: string
  readonly backupId: string
}

/** Undefined: the key is no metadata object of a backup. */
export function locationOf(kind: CinderStoreKind, metadataKey: string): BackupLocation | undefined {
  if (!metadataKey.endsWith(METADATA)) return undefined
  return locate(kind, metadataKey.slice(0, -METADATA.length))
}

/** From the key before `_metadata`, or from what an export record says. Undefined: Cinder gives no such names. */
export function locate(kind: CinderStoreKind, key: string): BackupLocation | undefined {
  const nested = kind === 'directory'
  const folder = nested ? key.slice(0, key.lastIndexOf('/') + 1) : ''
  const prefix = key.slice(folder.length)
  const [, volumeId, , backupId] = (nested ? NESTED : FLAT).exec(prefix) ?? []
  if (volumeId === undefined || backupId === undefined) return undefined
  if (folder.split('/').some((segment) => segment === '.' || segment === '..')) return undefined
  return { folder, prefix, volumeId, backupId }
}

/** Whose object it is, by its name alone: chunk, hashes or metadata. */
export function ownerOf(kind: CinderStoreKind, key: string): BackupLocation | undefined {
  const prefix = OBJECT.exec(key)?.[1]
  return prefix === undefined ? undefined : locate(kind, prefix)
}

/** When its writing was begun, as its name says, in ms; the epoch for a name that says no time. */
export function beginningOf({ prefix }: BackupLocation): number {
  const [, year, month, day, hour, minute, second] =
    /[/_](\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)[/_]/.exec(prefix) ?? []
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(ms) ? 0 : ms
}

/** A prefix in a store's own style. `createdAt` must be the same in each attempt. */
export function newLocation(
  kind: CinderStoreKind,
  of: { volumeId: string; backupId: string; createdAt: string },
): BackupLocation {
  const { volumeId, backupId } = of
  const timestamp = of.createdAt.replaceAll(/\D/g, '').slice(0, 14)
  if (kind === 's3') {
    const prefix = `volume_${volumeId}/${timestamp}/az_nova_backup_${backupId}`
    return { folder: '', prefix, volumeId, backupId }
  }
  const folder = `${defaultContainer(backupId)}/`
  return { folder, prefix: `volume_${volumeId}_${timestamp}_backup_${backupId}`, volumeId, backupId }
}

/** The folder that Cinder's drivers for folders make for a backup unless they are told another one. */
export function defaultContainer(backupId: string): string {
  return `${backupId.slice(0, 2)}/${backupId.slice(2, 4)}/${backupId}`
}

export function metadataKey({ folder, prefix }: BackupLocation): string {
  return `${folder}${prefix}${METADATA}`
}

export function sha256Key({ folder, prefix }: BackupLocation): string {
  return `${folder}${prefix}_sha256file`
}

export function chunkName({ prefix }: BackupLocation, number: number): string {
  return `${prefix}-${String(number).padStart(5, '0')}`
}

/** Undefined: not a name of this backup's chunks. */
export function chunkNumber({ prefix }: BackupLocation, name: string): number | undefined {
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return CHUNK.test(rest) ? Number(rest.slice(1)) : undefined
}

/** The finished metadata waits here for its commit: nothing else may be below the prefix, or Cinder refuses the backup. */
export function stagedKey({ backupId }: Pick<BackupLocation, 'backupId'>): string {
  return `${STAGED}${backupId}`
}

/** The backup whose metadata wait under this key. */
export function stagedId(key: string): string | undefined {
  return key.startsWith(STAGED) ? key.slice(STAGED.length) : undefined
}
