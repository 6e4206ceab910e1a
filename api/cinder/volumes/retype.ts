import { z } from 'zod'
import { requireVolumeType } from '../../../database/cinder/types.ts'
import { requestRetype } from '../../../database/requests/retype-volume.ts'
import { callerOf } from '../../identity/caller.ts'
import { action } from '../actions.ts'
import { REFERENCE } from '../fields.ts'
import { owned } from '../owned.ts'
import { start } from '../start.ts'

const BODY = z.strictObject({
  new_type: REFERENCE,
  migration_policy: z.enum(['never', 'on-demand']).nullish(),
})

export const retype = action(BODY, async ({ context, request, reply, id }, params) => {
  const { row, actor } = await owned(context, request, 'volume', id)
  const { isAdmin, projectId } = callerOf(request)
  const type = await requireVolumeType(context.database, params.new_type, isAdmin ? undefined : projectId)
  const accepted = await requestRetype(context.database, actor, context.places, {
    volumeId: row.id,
    type,
    mayMigrate: params.migration_policy === 'on-demand',
  })
  start(context, reply, accepted)
  return reply.code(202).send()
})
