import type { ArtifactRow } from '../database/operations/artifacts.ts'
import { forgetArtifact } from '../database/operations/artifacts.ts'
import { abortBackup } from '../backup-format/abort.ts'
import { deleteBackup } from '../backup-format/delete.ts'
import { backupDomain } from '../domain/backup-domain.ts'
import { attempted } from './attempt.ts'
import { abortMergeInCinder, releaseFromCinder } from './cinder-volumes.ts'
import { type ActivityDependencies, place } from './dependencies.ts'
import { poolOf, refOf } from './pooled-backups.ts'
import { withRepository } from './repository.ts'

export function createArtifactActivities(deps: ActivityDependencies) {
  return {
    /** Removes one thing that an operation made, or was about to make, and then its row. Repeatable. */
    releaseArtifact: (artifact: ArtifactRow): Promise<void> =>
      attempted(deps.database, artifact.operationId, async () => {
        await release(deps, artifact)
        await forgetArtifact(deps.database, artifact)
      }),
  }
}

async function releaseFromPool(
  deps: ActivityDependencies,
  { id, place: target }: ArtifactRow,
): Promise<void> {
  const ref = await refOf(deps, { backupId: id })
  await poolOf(deps, { target }).deleteBackup(ref)
}

async function release(deps: ActivityDependencies, artifact: ArtifactRow): Promise<void> {
  const { id, parentId } = artifact
  switch (artifact.kind) {
    case 'volume':
      return place(deps.backends, 'backend', artifact.place).deleteVolume({ volumeId: id })
    case 'snapshot':
      return place(deps.backends, 'backend', artifact.place).deleteSnapshot({
        volumeId: parentId ?? '',
        snapshotId: id,
      })
    case 'stage':
      return place(deps.stores, 'store', artifact.place).discardStage(id)
    case 'image': {
      const store = place(deps.stores, 'store', artifact.place)
      await store.discardStage(id)
      return store.deleteImage(id)
    }
    case 'derived': {
      const { derived } = place(deps.stores, 'store', artifact.place)
      return derived?.discard({ imageId: parentId ?? '', draftId: id })
    }
    case 'merge':
      return abortMergeInCinder(deps, { target: artifact.place, backupId: id })
    case 'backup':
      if (deps.rbdTargets.has(artifact.place)) return releaseFromPool(deps, artifact)
      if (deps.cinderTargets.has(artifact.place))
        return releaseFromCinder(deps, { target: artifact.place, backupId: id })
      return withRepository(deps, artifact.place, async (repository) => {
        const key = { domain: backupDomain(parentId ?? ''), backupId: id }
        // Committed in the target, but the operation failed on the way to saying so: nobody knows this backup.
        if ((await abortBackup(repository, key)) === 'committed') await deleteBackup(repository, key)
      })
  }
}
