import type { ApiContext, App } from '../context.ts'
import { attachmentRoutes } from './attachments.ts'
import { backupRoutes } from './backups.ts'
import { cinderBackupRoutes } from './cinder-backups.ts'
import { controlRoutes } from './controls.ts'
import { eventRoutes } from './events.ts'
import { imageRoutes } from './images.ts'
import { imageCopyRoutes } from './image-copies.ts'
import { imageFileRoutes } from './image-file.ts'
import { operationEventRoutes } from './operation-events.ts'
import { operationRoutes } from './operations.ts'
import { scheduleRoutes } from './schedules.ts'
import { scheduleActionRoutes } from './schedule-actions.ts'
import { scheduleRetentionRoutes } from './schedule-retention.ts'
import { snapshotRoutes } from './snapshots.ts'
import { targetRoutes } from './targets.ts'
import { volumeManagementRoutes } from './volume-management.ts'
import { volumeCopyRoutes } from './volume-copies.ts'
import { verificationRoutes } from './verification.ts'
import { volumeActionRoutes } from './volume-actions.ts'
import { volumeRoutes } from './volumes.ts'
import { webhookActionRoutes } from './webhook-actions.ts'
import { webhookRoutes } from './webhooks.ts'

/** The native API, below /operations/v1. */
export function nativeRoutes(app: App, context: ApiContext): void {
  operationRoutes(app, context)
  operationEventRoutes(app, context)
  eventRoutes(app, context)
  imageRoutes(app, context)
  imageFileRoutes(app, context)
  imageCopyRoutes(app, context)
  volumeRoutes(app, context)
  volumeCopyRoutes(app, context)
  volumeManagementRoutes(app, context)
  volumeActionRoutes(app, context)
  attachmentRoutes(app, context)
  snapshotRoutes(app, context)
  backupRoutes(app, context)
  targetRoutes(app, context)
  cinderBackupRoutes(app, context)
  controlRoutes(app, context)
  scheduleRoutes(app, context)
  scheduleActionRoutes(app, context)
  scheduleRetentionRoutes(app, context)
  webhookRoutes(app, context)
  webhookActionRoutes(app, context)
  verificationRoutes(app, context)
}
