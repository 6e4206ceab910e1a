import { z } from 'zod'
import { requestBackup, requestBackupDeletion } from '../../database/requests/backups.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept, showIfPresent } from './answers.ts'
import { DESCRIPTION, ERRORS, ID, ID_PARAMS, METADATA, NAME, PLACE } from './fields.ts'
import { readRoutes } from './read-routes.ts'
import { ACCEPTED, BACKUP, BACKUP_ACCEPTED, BACKUP_PAGE } from './schemas.ts'
import { backupView } from './views.ts'

const CREATE = z
  .strictObject({
    volumeId: ID,
    snapshotId: ID.exactOptional().describe(
      'Back up this snapshot of the volume; left out: the volume as it is now',
    ),
    target: PLACE.exactOptional(),
    incremental: z
      .boolean()
      .exactOptional()
      .describe('Store only what the newest backup in the same target does not have'),
    name: NAME.exactOptional(),
    description: DESCRIPTION.exactOptional(),
    metadata: METADATA.exactOptional(),
  })
  .meta({ id: 'CreateBackup' })

const tags = ['backups']

export function backupRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.post(
    '/backups',
    {
      schema: {
        tags,
        summary: 'Back up a volume',
        body: CREATE,
        response: { 202: BACKUP_ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestBackup(database, actor, places, request.body)
      const operation = await accept(context, actor, accepted)
      const key = { id: accepted.resourceId, projectId: actor.projectId }
      const backup = await showIfPresent(context, 'backup', key, backupView)
      return reply.code(202).send({ backup, operation })
    },
  )
  readRoutes(app, context, { type: 'backup', one: BACKUP, page: BACKUP_PAGE, view: backupView })
  app.delete(
    '/backups/:id',
    {
      schema: { tags, summary: 'Delete a backup', params: ID_PARAMS, response: { 202: ACCEPTED, ...ERRORS } },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestBackupDeletion(database, actor, request.params.id)
      return reply.code(202).send({ operation: await accept(context, actor, accepted) })
    },
  )
}
