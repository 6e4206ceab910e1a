import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import {
  defaultVolumeType,
  type ExtraSpecs,
  requireVolumeType,
  type VolumeTypeRow,
} from '../../../database/cinder/types.ts'
import { requestVolume } from '../../../database/requests/create-volume.ts'
import type { VolumeRequest } from '../../../database/requests/new-volume.ts'
import { RequestError } from '../../../domain/errors.ts'
import { isUuid } from '../../../domain/identifiers.ts'
import { GiB } from '../../../domain/sizes.ts'
import { actorOf } from '../../actor.ts'
import type { ApiContext, App } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'
import { quoted } from '../../validation-message.ts'
import { Fault } from '../fault.ts'
import {
  BOOLEAN,
  booleanOf,
  given,
  NAME,
  OPTIONAL_METADATA,
  OPTIONAL_REFERENCE,
  SIZE_GIB,
} from '../fields.ts'
import { minorOf } from '../microversion.ts'
import { start } from '../start.ts'
import { changedVolumeView } from './view.ts'

const VOLUME = z.looseObject({
  size: SIZE_GIB.nullish().describe('GiB'),
  name: NAME,
  description: NAME,
  display_name: NAME,
  display_description: NAME,
  availability_zone: OPTIONAL_REFERENCE,
  volume_type: OPTIONAL_REFERENCE,
  metadata: OPTIONAL_METADATA,
  imageRef: OPTIONAL_REFERENCE,
  image_id: OPTIONAL_REFERENCE,
  snapshot_id: OPTIONAL_REFERENCE,
  source_volid: OPTIONAL_REFERENCE,
  backup_id: OPTIONAL_REFERENCE,
  consistencygroup_id: OPTIONAL_REFERENCE,
  group_id: OPTIONAL_REFERENCE,
  multiattach: BOOLEAN.nullish(),
})

const CREATE = z.strictObject({
  volume: VOLUME,
  'OS-SCH-HNT:scheduler_hints': z.record(z.string(), z.unknown()).nullish(),
})

type Body = z.infer<typeof VOLUME>

/** Since when unknown fields are refused, and which volume may come from a backup. */
const STRICT_FIELDS = 53
const FROM_BACKUP = 47

export function volumeCreateRoute(app: App, context: ApiContext): void {
  app.post(
    '/volumes',
    { schema: { tags: ['volumes'], summary: 'Create a volume', body: CREATE } },
    async (request, reply) => {
      const { volume } = request.body
      refuseUnsupported(request, volume)
      const actor = actorOf(request)
      const wanted = await volumeRequest(context, request, volume)
      const accepted = await requestVolume(context.database, actor, context.places, wanted)
      start(context, reply, accepted)
      const row = await context.database
        .selectFrom('volumes')
        .selectAll()
        .where('id', '=', accepted.resourceId)
        .executeTakeFirst()
      if (row === undefined)
        throw new RequestError(404, 'volumeNotFound', `Volume ${accepted.resourceId} could not be found.`)
      return reply.code(202).send({ volume: await changedVolumeView(context, request, row) })
    },
  )
}

function refuseUnsupported(request: FastifyRequest, volume: Body): void {
  const unknown = Object.keys(volume).filter((name) => !(name in VOLUME.shape))
  if (minorOf(request) >= STRICT_FIELDS && unknown.length > 0)
    throw new Fault(400, `Additional properties are not allowed: ${unknown.map(quoted).join(', ')}.`)
  const group = given(volume.group_id) ?? given(volume.consistencygroup_id)
  if (group !== undefined) throw new Fault(404, `Group ${group} could not be found.`)
  if (volume.multiattach != null && booleanOf('multiattach', volume.multiattach))
    throw new Fault(400, 'Expected no multiattach: it has become a matter of volume types.')
  const zone = given(volume.availability_zone)
  if (zone !== undefined && zone !== 'nova')
    throw new Fault(400, `Availability zone ${quoted(zone)} is invalid. There is nova.`)
}

async function volumeRequest(
  context: ApiContext,
  request: FastifyRequest,
  body: Body,
): Promise<VolumeRequest> {
  const optional = {
    name: given(body.name ?? body.display_name),
    description: given(body.description ?? body.display_description),
    metadata: body.metadata ?? undefined,
    imageId: imageOf(given(body.imageRef) ?? given(body.image_id)),
    snapshotId: given(body.snapshot_id),
    sourceVolumeId: given(body.source_volid),
    backupId: minorOf(request) >= FROM_BACKUP ? given(body.backup_id) : undefined,
    sizeBytes: body.size == null ? undefined : Number(body.size) * GiB,
  }
  if (optional.imageId !== undefined && optional.sizeBytes === undefined)
    throw new Fault(400, 'Expected a size in GiB for a volume from an image, got none.')
  const volumeType = await typeOf(context, request, body)
  const volume = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined))
  const extraSpecs = JSON.parse(volumeType.extraSpecs) as ExtraSpecs
  return { ...volume, volumeType: { id: volumeType.id, name: volumeType.name, extraSpecs } }
}

/** Clients also give the image's URL. */
function imageOf(reference: string | undefined): string | undefined {
  const id = reference?.split('/').at(-1)
  if (id === undefined || isUuid(id)) return id
  throw new Fault(400, `Invalid image identifier or unable to access requested image: ${quoted(reference)}.`)
}

/** The wanted type, else that of the source, else the one that the image names, else the project's default. */
async function typeOf(context: ApiContext, request: FastifyRequest, body: Body): Promise<VolumeTypeRow> {
  const { database } = context
  const { projectId, isAdmin } = callerOf(request)
  const wanted =
    given(body.volume_type) ?? (await typeOfSource(context, body)) ?? (await typeOfImage(context, body))
  const type =
    wanted === undefined
      ? await defaultVolumeType(database, projectId)
      : await requireVolumeType(database, wanted, isAdmin ? undefined : projectId)
  if (type.encryption === null) return type
  throw new Fault(
    400,
    `Volume type ${type.name} asks for encryption, and no backend encrypts: there is no key manager.`,
  )
}

/** cinder/volume/flows/api/create_volume.py: _get_volume_type. */
const TYPE_PROPERTY = 'cinder_img_volume_type'

async function typeOfImage({ database }: ApiContext, body: Body): Promise<string | undefined> {
  const imageId = imageOf(given(body.imageRef) ?? given(body.image_id))
  if (imageId === undefined) return undefined
  const image = await database
    .selectFrom('images')
    .select('metadata')
    .where('id', '=', imageId)
    .executeTakeFirst()
  const properties = JSON.parse(image?.metadata ?? '{}') as Readonly<Record<string, string>>
  return given(properties[TYPE_PROPERTY])
}

async function typeOfSource({ database }: ApiContext, body: Body): Promise<string | undefined> {
  const snapshotId = given(body.snapshot_id)
  const snapshot =
    snapshotId === undefined
      ? undefined
      : await database
          .selectFrom('snapshots')
          .select('volumeId')
          .where('id', '=', snapshotId)
          .executeTakeFirst()
  const volumeId = snapshot?.volumeId ?? given(body.source_volid)
  if (volumeId === undefined) return undefined
  const volume = await database
    .selectFrom('volumes')
    .select('volumeTypeId')
    .where('id', '=', volumeId)
    .executeTakeFirst()
  return volume?.volumeTypeId ?? undefined
}
