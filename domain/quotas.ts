import type { OperationKind } from './operations.ts'

/** Cinder's names and defaults; -1 is no limit. Each of the first three also exists for a type of volumes: `volumes_fast`. */
export const QUOTA_DEFAULTS = {
  volumes: 10,
  gigabytes: 1000,
  snapshots: 10,
  backups: 10,
  backup_gigabytes: 1000,
  /** Of one volume. */
  per_volume_gigabytes: -1,
  groups: 10,
} as const

export type QuotaName = keyof typeof QUOTA_DEFAULTS

/** What becomes more when an operation of this kind is accepted: volumes and snapshots, or backups. */
const GROWING: Partial<Record<OperationKind, 'volume' | 'snapshot' | 'backup' | 'size'>> = {
  'create-volume': 'volume',
  'create-volume-from-image': 'volume',
  'create-volume-from-snapshot': 'volume',
  'clone-volume': 'volume',
  'restore-backup': 'volume',
  'manage-volume': 'volume',
  'extend-volume': 'size',
  'create-snapshot': 'snapshot',
  'create-backup': 'backup',
  'copy-backup': 'backup',
}

export function growthOf(kind: OperationKind): 'volume' | 'snapshot' | 'backup' | 'size' | undefined {
  return GROWING[kind]
}

/** The quotas that this growth counts against, those of the volume's type too. */
export function quotasFor(
  growth: 'volume' | 'snapshot' | 'backup' | 'size',
  volumeType: string | null,
): string[] {
  if (growth === 'backup') return ['backups', 'backup_gigabytes']
  const names = {
    volume: ['volumes', 'gigabytes'],
    snapshot: ['snapshots', 'gigabytes'],
    size: ['gigabytes'],
  }[growth]
  return volumeType === null ? names : [...names, ...names.map((name) => `${name}_${volumeType}`)]
}

/** What Cinder says. `used` and `requested` in its unit: things, or GiB. */
export function quotaMessage(
  name: string,
  { limit, used, requested }: { limit: number; used: number; requested: number },
): string {
  if (name.startsWith('backup_gigabytes'))
    return `Requested backup exceeds allowed Backup gigabytes quota. Requested ${requested}G, quota is ${limit}G and ${used}G has been consumed.`
  if (name.startsWith('gigabytes'))
    return `Requested volume or snapshot exceeds allowed ${name} quota. Requested ${requested}G, quota is ${limit}G and ${used}G has been consumed.`
  if (name.startsWith('volumes'))
    return `Maximum number of volumes allowed (${limit}) exceeded for quota '${name}'.`
  if (name.startsWith('snapshots'))
    return `Maximum number of snapshots allowed (${limit}) exceeded for quota '${name}'.`
  return `Maximum number of ${name} allowed (${limit}) exceeded.`
}
