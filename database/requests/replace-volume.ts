/** New bytes for a volume that exists. They are written to a volume of their own, which takes its place at the commit. */
import { randomUUID } from 'node:crypto'
import type { Artifact } from '../../domain/artifacts.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { snapshotOfBackup } from '../operations/kept-snapshots.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource } from '../resources.ts'
import { requireActiveImage } from './active-image.ts'
import { checkAtLeast } from './checks.ts'
import { contentArtifact } from './new-volume.ts'

export function requestRestoreIntoVolume(
  database: Database,
  actor: Actor,
  request: { backupId: string; volumeId: string },
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { restoreIntoVolume: request }, async (tx) => {
    const { projectId } = actor
    const backup = await requireResource(tx, 'backup', { id: request.backupId, projectId })
    const volume = await requireResource(tx, 'volume', { id: request.volumeId, projectId })
    const { id: volumeId, backend, sizeBytes } = volume
    checkAtLeast(sizeBytes, { what: "backup's volume", sizeBytes: backup.sizeBytes })
    const [contentId, snapshotId] = [randomUUID(), randomUUID()]
    const snapshot: Artifact = {
      kind: 'snapshot',
      placeType: 'backend',
      place: backend,
      id: snapshotId,
      parentId: volumeId,
      purpose: 'temporary',
    }
    const ids = { volumeId, backupId: backup.id, contentId, snapshotId }
    const kept = backup.format === 'rbd' && backup.volumeId === volumeId
    const backupSnapshotId = kept ? await snapshotOfBackup(tx, backup.id, volume) : null
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'restore-backup-into-volume',
      spec: {
        ...{ ...ids, backend, sizeBytes, target: backup.target, projectId },
        ...(backupSnapshotId !== null && { backupSnapshotId }),
      },
      resources: { volume: volumeId, backup: backup.id },
      primary: 'volume',
      artifacts: [contentArtifact(backend, contentId), snapshot],
    })
    return { operationId, resourceId: volumeId }
  })
}

export function requestReimage(
  database: Database,
  actor: Actor,
  request: { volumeId: string; imageId: string },
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { reimageVolume: request }, async (tx) => {
    const { projectId } = actor
    const volume = await requireResource(tx, 'volume', { id: request.volumeId, projectId })
    const { id: volumeId, backend, sizeBytes } = volume
    const { image, blockFormat, virtualSizeBytes, leastBytes } = await requireActiveImage(
      tx,
      actor,
      request.imageId,
    )
    checkAtLeast(sizeBytes, { what: "image's virtual size", sizeBytes: leastBytes })
    const contentId = randomUUID()
    const { id: imageId, store } = image
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'reimage-volume',
      spec: {
        ...{ volumeId, backend, sizeBytes, imageId, store, virtualSizeBytes, contentId },
        diskFormat: blockFormat,
      },
      resources: { volume: volumeId, image: imageId },
      primary: 'volume',
      artifacts: [contentArtifact(backend, contentId)],
    })
    return { operationId, resourceId: volumeId }
  })
}
