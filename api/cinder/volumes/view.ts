import type { FastifyRequest } from 'fastify'
import { attachedTo, type AttachedRow } from '../../../database/cinder/connections.ts'
import type { VolumeRow } from '../../../database/read.ts'
import { cinderStatus } from '../../../domain/cinder-status.ts'
import { claimedStatus } from '../../../domain/volume-claims.ts'
import { GiB } from '../../../domain/sizes.ts'
import type { ApiContext } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'
import { hostOf } from '../hosts.ts'
import { linksFor, type LinksOf } from '../links.ts'
import { minorOf } from '../microversion.ts'
import { cinderTime } from '../times.ts'

type Strings = Readonly<Record<string, string>>

/** Whole GiB, as Cinder counts: a volume that is larger by a MiB counts as one more. */
export function gibOf(sizeBytes: number): number {
  return Math.ceil(sizeBytes / GiB)
}

/** Cinder's view of volumes, as this caller sees them with this microversion. */
export async function volumeViews(
  context: ApiContext,
  request: FastifyRequest,
  rows: readonly VolumeRow[],
): Promise<object[]> {
  const { isAdmin } = callerOf(request)
  const views = await changedVolumeViews(context, request, rows)
  return rows.map((row, index) => ({ ...views[index], ...extended(row, isAdmin) }))
}

/** What creation and change answer: what Cinder adds by extensions, it adds to volumes that are shown. */
async function changedVolumeViews(context: ApiContext, request: FastifyRequest, rows: readonly VolumeRow[]) {
  const attached = await attachedTo(context.database, rows)
  const links = linksFor(context, request)
  const { isAdmin } = callerOf(request)
  const minor = minorOf(request)
  return rows.map((row) => ({
    ...basic(row, links, attached.get(row.id) ?? []),
    ...(isAdmin ? forAdmin(row, minor) : { migration_status: null }),
    ...added(row, minor),
  }))
}

export async function changedVolumeView(context: ApiContext, request: FastifyRequest, row: VolumeRow) {
  const [view = {}] = await changedVolumeViews(context, request, [row])
  return view
}

export async function volumeView(context: ApiContext, request: FastifyRequest, row: VolumeRow) {
  const [view = {}] = await volumeViews(context, request, [row])
  return view
}

export function volumeSummary({ id, name }: VolumeRow, links: LinksOf) {
  return { id, name, links: links('volumes', id) }
}

function basic(row: VolumeRow, links: LinksOf, attachments: readonly AttachedRow[]) {
  const metadata = JSON.parse(row.metadata) as Strings
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    status: cinderStatus('volume', claimedStatus(row)),
    size: gibOf(row.sizeBytes),
    created_at: cinderTime(row.createdAt),
    updated_at: cinderTime(row.updatedAt),
    user_id: row.userId,
    availability_zone: row.availabilityZone,
    volume_type: row.volumeType,
    // What clients read for the flag that os-update_readonly_flag sets.
    metadata: row.readOnly === 1 ? { ...metadata, readonly: 'True' } : metadata,
    bootable: row.bootable === 1 ? 'true' : 'false',
    encrypted: false,
    multiattach: false,
    snapshot_id: row.snapshotId,
    source_volid: row.sourceVolumeId,
    consistencygroup_id: null,
    replication_status: null,
    attachments: attachments.map((one) => ({
      id: row.id,
      attachment_id: one.id,
      volume_id: row.id,
      server_id: one.instanceId,
      host_name: one.hostName,
      device: one.mountpoint,
      attached_at: cinderTime(one.attachedAt),
    })),
    links: links('volumes', row.id),
  }
}

function extended(row: VolumeRow, isAdmin: boolean) {
  return {
    'os-vol-tenant-attr:tenant_id': row.projectId,
    ...(row.volumeImageMetadata === null
      ? {}
      : { volume_image_metadata: JSON.parse(row.volumeImageMetadata) as Strings }),
    ...(isAdmin && {
      'os-vol-host-attr:host': hostOf(row.backend),
      'os-vol-mig-status-attr:migstat': row.migrationStatus,
      'os-vol-mig-status-attr:name_id': null,
    }),
  }
}

function forAdmin(row: VolumeRow, minor: number) {
  return {
    migration_status: row.migrationStatus,
    ...(minor >= 21 ? { provider_id: null } : {}),
    ...(minor >= 61 ? { cluster_name: null } : {}),
  }
}

function added(row: VolumeRow, minor: number) {
  return {
    ...(minor >= 13 ? { group_id: null } : {}),
    ...(minor >= 48 ? { service_uuid: null, shared_targets: minor >= 69 ? null : false } : {}),
    ...(minor >= 63 ? { volume_type_id: row.volumeTypeId } : {}),
    ...(minor >= 65 ? { consumes_quota: true } : {}),
  }
}
