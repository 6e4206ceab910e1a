/** The strings of `cinder backup-export` and `cinder backup-import`: what another database has to know of a backup. */
import { type BackupLocation, type CinderStoreKind, defaultContainer, locate } from './cinder-names.ts'
import { LIMITS } from './limits.ts'
import { GiB } from './sizes.ts'

export interface ExportRecord {
  /** Cinder's class of driver. */
  readonly backupService: string
  /** Base64 of JSON. */
  readonly backupUrl: string
}

export interface ExportedBackup {
  readonly location: BackupLocation
  /** The bucket; ignored in a folder, where it is part of the location. */
  readonly bucket: string
  readonly name: string | null
  readonly description: string | null
  readonly parentId: string | null
  readonly sizeBytes: number
  readonly objectCount: number
  readonly dataTimestamp: string
  readonly createdAt: string
}

const SERVICES: Readonly<Record<CinderStoreKind, string>> = {
  s3: 'cinder.backup.drivers.s3.S3BackupDriver',
  directory: 'cinder.backup.drivers.nfs.NFSBackupDriver',
}

export function encodeRecord(
  kind: CinderStoreKind,
  backup: ExportedBackup,
  service = SERVICES[kind],
): ExportRecord {
  const { location } = backup
  const record = {
    driver_info: {},
    id: location.backupId,
    volume_id: location.volumeId,
    container: kind === 's3' ? backup.bucket : location.folder.replace(/\/$/, ''),
    service_metadata: location.prefix,
    service,
    display_name: backup.name,
    display_description: backup.description,
    parent_id: backup.parentId,
    // Whole GiB: whoever restores makes a volume of it.
    size: Math.ceil(backup.sizeBytes / GiB),
    object_count: backup.objectCount,
    status: 'available',
    data_timestamp: seconds(backup.dataTimestamp),
    created_at: seconds(backup.createdAt),
    updated_at: null,
    deleted_at: null,
    deleted: false,
    user_id: null,
    project_id: null,
    host: null,
    availability_zone: null,
    fail_reason: null,
    snapshot_id: null,
    temp_volume_id: null,
    temp_snapshot_id: null,
    restore_volume_id: null,
    num_dependent_backups: 0,
    encryption_key_id: null,
    metadata: {},
  }
  return { backupService: service, backupUrl: btoa(asciiJson(record)) }
}

/**
 * Where the record says its backup is. Everything else is read from the backup itself. Undefined: no record, or none of a backup that
 * a store of this kind can hold.
 */
export function decodeRecord(kind: CinderStoreKind, backupUrl: string): BackupLocation | undefined {
  return locationInRecord(kind, backupUrl)?.location
}

/** The same, with what the record calls its container: of an object store the bucket. */
export function locationInRecord(
  kind: CinderStoreKind,
  backupUrl: string,
): { readonly location: BackupLocation; readonly container: string | undefined } | undefined {
  if (backupUrl.length > LIMITS.cinderRecordMaxLength) return undefined
  const { id, service_metadata: prefix, container } = parse(backupUrl)
  if (typeof id !== 'string' || typeof prefix !== 'string') return undefined
  const folder = typeof container === 'string' ? container : defaultContainer(id)
  const location = locate(kind, kind === 's3' ? prefix : `${folder.replace(/\/$/, '')}/${prefix}`)
  if (location?.backupId !== id) return undefined
  return { location, container: typeof container === 'string' ? container : undefined }
}

function parse(backupUrl: string): Readonly<Record<string, unknown>> {
  try {
    const bytes = Uint8Array.from(atob(backupUrl), (letter) => letter.charCodeAt(0))
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** As Python writes it. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^\0-\x7f]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Cinder's objects write times without fractions. */
function seconds(time: string): string {
  return time.replace(/\.\d+/, '')
}
