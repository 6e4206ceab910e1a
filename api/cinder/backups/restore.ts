import { z } from 'zod'
import { defaultVolumeType, type ExtraSpecs } from '../../../database/cinder/types.ts'
import { requestVolume } from '../../../database/requests/create-volume.ts'
import { requestRestoreIntoVolume } from '../../../database/requests/replace-volume.ts'
import { GiB, roundUp } from '../../../domain/sizes.ts'
import type { ApiContext, App } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'
import { given, ID_PARAMS, NAME, OPTIONAL_REFERENCE } from '../fields.ts'
import { owned } from '../owned.ts'
import { start } from '../start.ts'

const RESTORE = z.strictObject({
  restore: z.strictObject({ volume_id: OPTIONAL_REFERENCE, name: NAME }).nullish(),
})

/** The volume's id is in the answer, also of a volume that is yet to be made. */
export function restoreRoute(app: App, context: ApiContext): void {
  const { database, places } = context
  app.post(
    '/backups/:id/restore',
    {
      schema: {
        tags: ['backups'],
        summary: 'Restore a backup to a volume',
        params: ID_PARAMS,
        body: RESTORE,
      },
    },
    async (request, reply) => {
      const { volume_id, name } = request.body.restore ?? {}
      const { row: backup, actor } = await owned(context, request, 'backup', request.params.id)
      const volumeId = given(volume_id)
      if (volumeId !== undefined) {
        const { row: volume } = await owned(context, request, 'volume', volumeId)
        const restore = { backupId: backup.id, volumeId: volume.id }
        start(context, reply, await requestRestoreIntoVolume(database, actor, restore))
        const volume_name = volume.name
        return reply.code(202).send({ restore: { backup_id: backup.id, volume_id: volume.id, volume_name } })
      }
      const type = await defaultVolumeType(database, callerOf(request).projectId)
      const volume_name = given(name) ?? `restore_backup_${backup.id}`
      const accepted = await requestVolume(database, actor, places, {
        backupId: backup.id,
        name: volume_name,
        sizeBytes: roundUp(backup.sizeBytes, GiB),
        volumeType: { id: type.id, name: type.name, extraSpecs: JSON.parse(type.extraSpecs) as ExtraSpecs },
      })
      start(context, reply, accepted)
      return reply
        .code(202)
        .send({ restore: { backup_id: backup.id, volume_id: accepted.resourceId, volume_name } })
    },
  )
}
