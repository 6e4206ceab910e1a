import type { PlaceType } from './queues.ts'

/**
 * Something outside the database that an operation is about to make. The row is written before the thing exists, in the
 * transaction that accepts the request; undo, recovery, the janitor and fsck all work from these rows.
 */
export interface Artifact {
  /** `merge`: copies of a backup's objects on their way to those that build on it; `derived`: an image's raw bytes, while they are made. */
  readonly kind: 'volume' | 'snapshot' | 'backup' | 'stage' | 'image' | 'merge' | 'derived'
  readonly placeType: PlaceType
  readonly place: string
  /** The id under which the driver knows it; `parentId` is a snapshot's volume, a backup's project or what is derived's image. */
  readonly id: string
  readonly parentId: string | null
  /** `result`: kept when the operation succeeds. `temporary`: released in every case. */
  readonly purpose: 'result' | 'temporary'
}

export function backupArtifact(target: string, backupId: string, projectId: string): Artifact {
  return {
    kind: 'backup',
    placeType: 'target',
    place: target,
    id: backupId,
    parentId: projectId,
    purpose: 'result',
  }
}
