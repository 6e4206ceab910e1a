import { z } from 'zod'
import { requestBackupCopy } from '../../database/requests/copy-backup.ts'
import { requestVerification } from '../../database/requests/verify-backup.ts'
import { VERIFY_LEVELS } from '../../domain/verification.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept, showIfPresent } from './answers.ts'
import { ERRORS, ID, ID_PARAMS, NAME, PLACE } from './fields.ts'
import { BACKUP_ACCEPTED } from './schemas.ts'
import { backupView } from './views.ts'

const LEVEL = z
  .enum(VERIFY_LEVELS)
  .default('content')
  .describe(
    'presence: all objects are there; content: each chunk is fetched, authenticated and hashed; restore: also restored to a volume and compared; quarantined: only what was damaged before',
  )
const SAMPLE = z.int().min(1).max(100).default(100).describe('Of the chunks, a different choice each time')

export const VERIFICATION = z
  .strictObject({ level: LEVEL, samplePercent: SAMPLE })
  .meta({ id: 'Verification' })

const VERIFY = z
  .strictObject({
    level: LEVEL,
    samplePercent: SAMPLE,
    backend: PLACE.exactOptional().describe('Where a restore is tried'),
    healFromBackupId: ID.exactOptional().describe(
      'A backup of the same volume in another target: damaged chunks are healed with its bytes',
    ),
  })
  .prefault({})
  .meta({ id: 'VerifyBackup' })

const COPY = z
  .strictObject({ target: PLACE, name: NAME.exactOptional().describe('Left out: as the original') })
  .meta({ id: 'CopyBackup' })

export function verificationRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.post(
    '/backups/:id/verify',
    {
      schema: {
        tags: ['backups'],
        summary: 'Look whether a backup could be restored',
        params: ID_PARAMS,
        body: VERIFY,
        response: { 202: BACKUP_ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const { id: backupId } = request.params
      const accepted = await requestVerification(database, actor, places, { backupId, ...request.body })
      const operation = await accept(context, actor, accepted)
      const key = { id: backupId, projectId: actor.projectId }
      return reply
        .code(202)
        .send({ backup: await showIfPresent(context, 'backup', key, backupView), operation })
    },
  )
  app.post(
    '/backups/:id/copy',
    {
      schema: {
        tags: ['backups'],
        summary: 'Copy a backup to another target; of a volume that has one there, what differs',
        params: ID_PARAMS,
        body: COPY,
        response: { 202: BACKUP_ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const copy = { backupId: request.params.id, ...request.body }
      const accepted = await requestBackupCopy(database, actor, places, copy)
      const operation = await accept(context, actor, accepted)
      const key = { id: accepted.resourceId, projectId: actor.projectId }
      return reply
        .code(202)
        .send({ backup: await showIfPresent(context, 'backup', key, backupView), operation })
    },
  )
}
