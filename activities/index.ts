import { createArtifactActivities } from './artifacts.ts'
import { createBackupCopyActivities } from './backup-copies.ts'
import { createAttachmentActivities } from './attachments.ts'
import { createBackupActivities } from './backups.ts'
import { createCinderActivities } from './cinder-backups.ts'
import { createCopyActivities } from './copies.ts'
import type { ActivityDependencies } from './dependencies.ts'
import { createImageCopyActivities } from './image-copies.ts'
import { createImageActivities } from './images.ts'
import { createVolumeImageActivities } from './volume-images.ts'
import { createVerificationActivities } from './verifications.ts'
import { createManagementActivities } from './managed-volumes.ts'
import { createLayerActivities } from './layers.ts'
import { createVolumeActivities } from './volumes.ts'

/** Everything that touches storage: what a data worker serves. */
export function createDataActivities(deps: ActivityDependencies) {
  return {
    ...createArtifactActivities(deps),
    ...createAttachmentActivities(deps),
    ...createBackupActivities(deps),
    ...createBackupCopyActivities(deps),
    ...createCinderActivities(deps),
    ...createCopyActivities(deps),
    ...createImageActivities(deps),
    ...createImageCopyActivities(deps),
    ...createVerificationActivities(deps),
    ...createLayerActivities(deps),
    ...createManagementActivities(deps),
    ...createVolumeActivities(deps),
    ...createVolumeImageActivities(deps),
  }
}

export type DataActivities = ReturnType<typeof createDataActivities>
