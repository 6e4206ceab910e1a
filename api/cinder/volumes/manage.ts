/** cinder/api/contrib/volume_manage.py and, from 3.8 on, cinder/api/v3/volume_manage.py. Lists are empty: a driver need not have them. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { defaultVolumeType, type ExtraSpecs, requireVolumeType } from '../../../database/cinder/types.ts'
import { requestManagement } from '../../../database/requests/manage-volume.ts'
import { actorOf } from '../../actor.ts'
import type { ApiContext, App } from '../../context.ts'
import { requireAllowed } from '../../identity/caller.ts'
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
import { backendOf } from '../hosts.ts'
import { since } from '../microversion.ts'
import { owned } from '../owned.ts'
import { start } from '../start.ts'
import { volumeView } from './view.ts'

const BODY = z.strictObject({
  volume: z.strictObject({
    host: REFERENCE.nullish(),
    cluster: REFERENCE.nullish(),
    ref: z.looseObject({ 'source-name': REFERENCE.nullish(), 'source-id': REFERENCE.nullish() }),
    name: NAME,
    description: NAME,
    volume_type: OPTIONAL_REFERENCE,
    availability_zone: OPTIONAL_REFERENCE,
    metadata: OPTIONAL_METADATA,
    bootable: BOOLEAN.exactOptional(),
  }),
})

/** The same at its older path, and at the newer one. */
const PATHS = [
  { path: 'os-volume-manage', minor: 0 },
  { path: 'manageable_volumes', minor: 8 },
] as const

export function volumeManageRoutes(app: App, context: ApiContext): void {
  for (const { path, minor } of PATHS) {
    const check = (request: FastifyRequest) => {
      since(request, minor)
      requireAllowed(request, 'admin')
    }
    const list = async (request: FastifyRequest) => {
      check(request)
      return { 'manageable-volumes': [] }
    }
    const schema = { tags: ['volumes'], summary: 'Volumes that could be managed: not told by the backends' }
    app.get(`/${path}`, { schema }, list)
    app.get(`/${path}/detail`, { schema }, list)
    app.post(
      `/${path}`,
      { schema: { tags: ['volumes'], summary: 'Take over what is in a backend already', body: BODY } },
      async (request, reply) => {
        check(request)
        return manage(context, request, reply, request.body.volume)
      },
    )
  }
}

async function manage(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { host, ref, bootable, metadata, ...body }: z.infer<typeof BODY>['volume'],
) {
  const backend = backendOf(host ?? '')
  if (backend === undefined || !context.places.backends.includes(backend))
    throw new Fault(404, `Service cinder-volume could not be found on host ${quoted(host ?? null)}.`)
  const sourceName = given(ref['source-name'])
  if (sourceName === undefined)
    throw new Fault(400, `Expected a reference with a source-name, got ${quoted(JSON.stringify(ref))}.`)
  const optional = {
    name: given(body.name),
    description: given(body.description),
    metadata: metadata ?? undefined,
    bootable: bootable === undefined ? undefined : booleanOf('bootable', bootable),
  }
  const described = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined))
  const volumeType = await typeOf(context, request, given(body.volume_type))
  const wanted = { ...described, backend, sourceName, volumeType }
  const accepted = await requestManagement(context.database, actorOf(request), context.places, wanted)
  start(context, reply, accepted)
  const { row } = await owned(context, request, 'volume', accepted.resourceId)
  return reply.code(202).send({ volume: await volumeView(context, request, row) })
}

async function typeOf({ database }: ApiContext, request: FastifyRequest, wanted: string | undefined) {
  const { projectId } = actorOf(request)
  const { id, name, extraSpecs } =
    wanted === undefined
      ? await defaultVolumeType(database, projectId)
      : await requireVolumeType(database, wanted, undefined)
  return { id, name, extraSpecs: JSON.parse(extraSpecs) as ExtraSpecs }
}
