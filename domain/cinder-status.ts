/**
 * What Cinder's clients are shown for the status of a row. The rows' own words are already Cinder's (cinder/objects/fields.py:
 * VolumeStatus, SnapshotStatus, BackupStatus) except where its clients would not know them; each line has the source that it follows.
 */
type Kind = 'volume' | 'snapshot' | 'backup'

interface Line {
  readonly row: string
  readonly shown: string
  readonly source: string
}

const same = (row: string, source: string): Line => ({ row, shown: row, source })

export const CINDER_STATUSES: Readonly<Record<Kind, readonly Line[]>> = {
  volume: [
    // Also while an image, a backup or a snapshot is copied into it: Terraform takes `restoring-backup` here for a failure.
    same(
      'creating',
      'cinder/volume/flows/manager/create_volume.py; provider-openstack waits for creating and downloading alone',
    ),
    same('available', 'cinder/volume/flows/manager/create_volume.py: CreateVolumeOnFinishTask'),
    same('reserved', 'cinder/volume/api.py: reserve_volume, _attachment_reserve'),
    same('attaching', 'cinder/volume/api.py: attachment_update'),
    same('in-use', 'cinder/volume/api.py: attachment_complete'),
    same('detaching', 'cinder/volume/api.py: begin_detaching'),
    same('backing-up', 'cinder/backup/api.py: create'),
    same('uploading', 'cinder/volume/api.py: copy_volume_to_image'),
    same('downloading', 'cinder/volume/api.py: reimage'),
    same('restoring-backup', 'cinder/backup/api.py: restore'),
    same('maintenance', 'cinder/volume/api.py: migrate_volume with lock_volume'),
    same('retyping', 'cinder/volume/api.py: retype'),
    same('extending', 'cinder/volume/api.py: extend'),
    same('reverting', 'cinder/volume/api.py: revert_to_snapshot'),
    same('awaiting-transfer', 'cinder/transfer/api.py: create'),
    same('managing', 'cinder/volume/flows/api/manage_existing.py: EntryCreateTask'),
    same('unmanaging', 'cinder/volume/api.py: delete with unmanage_only'),
    same('deleting', 'cinder/volume/api.py: delete'),
    same('error', 'cinder/volume/flows/common.py: error_out'),
    same('error_managing', 'cinder/volume/flows/manager/manage_existing.py: revert'),
    same('error_unmanaging', 'cinder/volume/manager.py: delete_volume with unmanage_only'),
    same('error_deleting', 'cinder/volume/manager.py: delete_volume'),
    same('error_extending', 'cinder/volume/manager.py: extend_volume'),
    same('error_restoring', 'cinder/backup/manager.py: restore_backup'),
    same('error_backing-up', 'cinder/objects/fields.py; a failed backup leaves its volume as it was'),
  ],
  snapshot: [
    same('creating', 'cinder/volume/api.py: create_snapshot_in_db'),
    same('available', 'cinder/volume/manager.py: create_snapshot'),
    same('backing-up', 'cinder/backup/api.py: create'),
    same('restoring', 'cinder/volume/api.py: revert_to_snapshot'),
    same('deleting', 'cinder/volume/api.py: delete_snapshot'),
    same('error', 'cinder/volume/manager.py: create_snapshot'),
    same('error_deleting', 'cinder/volume/manager.py: delete_snapshot'),
  ],
  backup: [
    same('creating', 'cinder/backup/api.py: create'),
    same('available', 'cinder/backup/manager.py: _finish_backup'),
    same('restoring', 'cinder/backup/api.py: restore'),
    same('deleting', 'cinder/backup/api.py: delete'),
    same('error', 'cinder/backup/manager.py: create_backup'),
    // Cinder has one word for both, and takes a second deletion.
    { row: 'error_deleting', shown: 'error_deleting', source: 'cinder/objects/fields.py: BackupStatus' },
  ],
}

const SHOWN = Object.fromEntries(
  Object.entries(CINDER_STATUSES).map(([kind, lines]) => [
    kind,
    new Map(lines.map(({ row, shown }) => [row, shown])),
  ]),
) as unknown as Readonly<Record<Kind, ReadonlyMap<string, string>>>

/** A word that is not in the table came from an administrator's reset, and is shown as it is. */
export function cinderStatus(kind: Kind, status: string): string {
  return SHOWN[kind].get(status) ?? status
}

/** To what an administrator may reset: what rows rest in, and what the work is called that they may be stuck in. */
export function resettable(kind: Kind): readonly string[] {
  return CINDER_STATUSES[kind].map(({ shown }) => shown)
}
