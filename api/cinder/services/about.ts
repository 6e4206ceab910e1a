import type { App } from '../../context.ts'
import { queryOf } from '../list-query.ts'
import { since } from '../microversion.ts'

/** By which fields lists of a resource can be filtered. */
const FILTERS: Readonly<Record<string, readonly string[]>> = {
  volume: [
    ...['name', 'status', 'metadata', 'bootable', 'migration_status', 'availability_zone', 'group_id'],
    ...['size', 'created_at', 'updated_at'],
  ],
  backup: ['name', 'status', 'volume_id'],
  snapshot: ['name', 'status', 'volume_id', 'metadata', 'availability_zone', 'consumes_quota'],
  attachment: ['volume_id', 'status', 'instance_id', 'attach_status'],
  message: ['resource_uuid', 'resource_type', 'event_id', 'request_id', 'message_level'],
  pool: ['name'],
  volume_type: [],
  group: [],
  group_snapshot: ['status', 'group_id'],
}

/** Alias -> what clients look for it to find out. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  'os-types-extra-specs': 'TypesExtraSpecs',
  'os-types-manage': 'TypesManage',
  'os-volume-type-access': 'VolumeTypeAccess',
  'os-volume-type-encryption': 'VolumeTypeEncryption',
  'os-volume-encryption-metadata': 'VolumeEncryptionMetadata',
  'os-volume-transfer': 'VolumeTransfer',
  'os-volume-actions': 'VolumeActions',
  'os-snapshot-actions': 'SnapshotActions',
  'os-admin-actions': 'AdminActions',
  'os-extended-services': 'ExtendedServices',
  'os-extended-snapshot-attributes': 'ExtendedSnapshotAttributes',
  'os-services': 'Services',
  'os-hosts': 'Hosts',
  'os-quota-sets': 'Quotas',
  'os-quota-class-sets': 'QuotaClasses',
  'os-availability-zone': 'AvailabilityZones',
  'os-used-limits': 'UsedLimits',
  'os-vol-host-attr': 'VolumeHostAttribute',
  'os-vol-tenant-attr': 'VolumeTenantAttribute',
  'os-vol-mig-status-attr': 'VolumeMigStatusAttribute',
  'os-vol-image-meta': 'VolumeImageMetadata',
  'scheduler-stats': 'Scheduler_stats',
  'OS-SCH-HNT': 'SchedulerHints',
  backups: 'Backups',
  capabilities: 'Capabilities',
}

const tags = ['about']

/** What clients ask before they ask for anything else. */
export function aboutRoutes(app: App): void {
  app.get('/os-availability-zone', { schema: { tags, summary: 'List zones' } }, async () => ({
    availabilityZoneInfo: [{ zoneName: 'nova', zoneState: { available: true } }],
  }))
  app.get('/os-availability-zone/detail', { schema: { tags, summary: 'List zones' } }, async () => ({
    availabilityZoneInfo: [{ zoneName: 'nova', zoneState: { available: true }, hosts: null }],
  }))
  app.get('/extensions', { schema: { tags, summary: 'List extensions' } }, async () => ({
    extensions: Object.entries(EXTENSIONS).map(([alias, name]) => ({
      alias,
      name,
      description: name,
      updated: '2011-11-03T00:00:00+00:00',
      links: [],
    })),
  }))
  app.get('/resource_filters', { schema: { tags, summary: 'List filters' } }, async (request) => {
    since(request, 33)
    const { resource } = queryOf(request)
    return {
      resource_filters: Object.entries(FILTERS)
        .filter(([name]) => resource === undefined || resource === name)
        .map(([name, filters]) => ({ resource: name, filters })),
    }
  })
  app.post('/workers/cleanup', CLEANUP, async (request, reply) => {
    since(request, 24)
    return reply.code(202).send({ cleaning: [], unavailable: [] })
  })
  // openstacksdk sends it so.
  app.put('/workers/cleanup', CLEANUP, async (request, reply) => {
    since(request, 24)
    return reply.code(202).send({ cleaning: [], unavailable: [] })
  })
}

/** Nothing is ever left to clean up by hand: the reconciler does it. */
const CLEANUP = {
  config: { rule: 'admin' },
  schema: { tags, summary: 'Clean up after services that died' },
} as const
