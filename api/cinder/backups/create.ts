import { z } from 'zod'
import { requestBackup } from '../../../database/requests/backups.ts'
import type { ApiContext, App } from '../../context.ts'
import { quoted } from '../../validation-message.ts'
import { Fault } from '../fault.ts'
import {
  BOOLEAN,
  booleanOf,
  given,
  NAME,
  OPTIONAL_METADATA,
  OPTIONAL_REFERENCE,
  REFERENCE,
} from '../fields.ts'
import { linksFor } from '../links.ts'
import { minorOf } from '../microversion.ts'
import { owned } from '../owned.ts'
import { start } from '../start.ts'
import { backupSummary } from './view.ts'

const CREATE = z.strictObject({
  backup: z.looseObject({
    volume_id: REFERENCE,
    name: NAME,
    description: NAME,
    container: OPTIONAL_REFERENCE.describe('A target'),
    incremental: BOOLEAN.nullish(),
    force: BOOLEAN.nullish(),
    snapshot_id: OPTIONAL_REFERENCE,
    metadata: OPTIONAL_METADATA,
    availability_zone: OPTIONAL_REFERENCE,
  }),
})

/** Since when backups have metadata and a zone. */
const WITH_METADATA = 43
const WITH_ZONE = 51

export function backupCreateRoute(app: App, context: ApiContext): void {
  app.post(
    '/backups',
    { schema: { tags: ['backups'], summary: 'Back up a volume', body: CREATE } },
    async (request, reply) => {
      const { backup } = request.body
      const minor = minorOf(request)
      const zone = given(backup.availability_zone)
      if (minor >= WITH_ZONE && zone !== undefined && zone !== 'nova')
        throw new Fault(400, `Availability zone ${quoted(zone)} is invalid. There is nova.`)
      const { row: volume, actor } = await owned(context, request, 'volume', backup.volume_id)
      const snapshotId = given(backup.snapshot_id)
      const isForced = backup.force != null && booleanOf('force', backup.force)
      if (volume.status === 'in-use' && !isForced && snapshotId === undefined)
        throw new Fault(400, `Invalid volume: Backing up volume ${volume.id}, which is in-use, wants force.`)
      const optional = {
        target: given(backup.container),
        snapshotId,
        name: given(backup.name),
        description: given(backup.description),
        metadata: minor >= WITH_METADATA ? (backup.metadata ?? undefined) : undefined,
      }
      const accepted = await requestBackup(context.database, actor, context.places, {
        volumeId: volume.id,
        incremental: backup.incremental != null && booleanOf('incremental', backup.incremental),
        ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
      })
      start(context, reply, accepted)
      const { row } = await owned(context, request, 'backup', accepted.resourceId)
      return reply.code(202).send({ backup: backupSummary(row, linksFor(context, request)) })
    },
  )
}
