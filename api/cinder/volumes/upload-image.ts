import { z } from 'zod'
import { requestVolumeUpload } from '../../../database/requests/upload-volume.ts'
import { requireResource } from '../../../database/resources.ts'
import { requireAllowed } from '../../identity/caller.ts'
import { action } from '../actions.ts'
import { Fault } from '../fault.ts'
import { BOOLEAN, booleanOf, REFERENCE } from '../fields.ts'
import { minorOf } from '../microversion.ts'
import { owned } from '../owned.ts'
import { start } from '../start.ts'
import { cinderTime } from '../times.ts'
import { gibOf } from './view.ts'

const BODY = z.looseObject({
  image_name: REFERENCE,
  force: BOOLEAN.nullish(),
  disk_format: z.enum(['raw', 'qcow2', 'vmdk', 'vdi', 'vhd', 'vhdx', 'ploop']).exactOptional(),
  container_format: z.string().max(64).exactOptional(),
  visibility: z.enum(['community', 'public', 'private', 'shared']).exactOptional(),
  protected: BOOLEAN.exactOptional(),
})

/** Since when the new image's visibility and protection can be said. */
const IMAGE_PARAMETERS = 1

export const uploadImage = action(BODY, async ({ context, request, reply, id }, params) => {
  const diskFormat = params.disk_format ?? 'raw'
  if (diskFormat !== 'raw' && diskFormat !== 'qcow2')
    throw new Fault(
      400,
      `Invalid input received: volumes become images of format raw or qcow2, not ${diskFormat}.`,
    )
  const containerFormat = params.container_format ?? 'bare'
  if (containerFormat !== 'bare')
    throw new Fault(400, `Invalid input received: container format ${containerFormat}; there is bare.`)
  if (params.force != null) booleanOf('force', params.force)
  const visibility = params.visibility ?? 'private'
  if (visibility === 'public') requireAllowed(request, 'admin')
  const isProtected = params.protected !== undefined && booleanOf('protected', params.protected)
  const { row, actor } = await owned(context, request, 'volume', id)
  const accepted = await requestVolumeUpload(context.database, actor, context.places, {
    volumeId: row.id,
    name: params.image_name,
    diskFormat,
    visibility,
    protected: isProtected,
  })
  start(context, reply, accepted)
  const image = await requireResource(context.database, 'image', {
    id: accepted.resourceId,
    projectId: actor.projectId,
  })
  return reply.code(202).send({
    'os-volume_upload_image': {
      id: row.id,
      image_id: image.id,
      image_name: image.name,
      status: 'uploading',
      size: gibOf(row.sizeBytes),
      disk_format: diskFormat,
      container_format: containerFormat,
      volume_type: row.volumeType === null ? null : { id: row.volumeTypeId, name: row.volumeType },
      updated_at: cinderTime(row.updatedAt),
      display_description: row.description,
      ...(minorOf(request) >= IMAGE_PARAMETERS ? { visibility, protected: isProtected } : {}),
    },
  })
})
