import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { attachmentOf } from '../../../database/attachments.ts'
import type { Actor } from '../../../database/operations/accept.ts'
import { requestAttachment, requestDetachment } from '../../../database/requests/attachments.ts'
import { BLOCK_STORAGE_LIMITS } from '../../../domain/block-storage-limits.ts'
import type { ConnectionInfo } from '../../../domain/connections.ts'
import { isGuestName } from '../../../domain/guests.ts'
import type { ApiContext } from '../../context.ts'
import { ended } from '../ended.ts'
import { start } from '../start.ts'

/** Who wants to connect, as Cinder's clients describe a host; `guest` names the qemu that is asked while it has the volume. */
export const CONNECTOR = z
  .looseObject({ host: z.string().max(255).nullish(), guest: z.string().max(64).nullish() })
  .refine((connector) => JSON.stringify(connector).length <= BLOCK_STORAGE_LIMITS.connectorLengthMax, {
    error: `at most ${BLOCK_STORAGE_LIMITS.connectorLengthMax} letters of JSON`,
  })

export interface CinderConnection {
  readonly driver_volume_type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Of the operation. */
interface Result {
  readonly connection?: string
  readonly connectionInfo?: string
}

interface Wanted {
  readonly volumeId: string
  readonly guest: string | null | undefined
  /** Whose attachment it is: the guest's name as well, where guests are asked. */
  readonly instanceId?: string | null
  readonly mode: 'rw' | 'ro'
}

/** Gives the volume to whoever asks and says how it is opened: what the native API's attach has as its result. */
export async function connect(
  context: ApiContext,
  reply: FastifyReply,
  actor: Actor,
  { volumeId, guest, instanceId, mode }: Wanted,
): Promise<CinderConnection> {
  const has = await attachmentOf(context.database, volumeId)
  const wanted = has?.guest ?? guest ?? ((await asksGuests(context, volumeId)) ? instanceId : undefined)
  const named = wanted != null && isGuestName(wanted) ? { guest: wanted } : {}
  const accepted = await requestAttachment(context.database, actor, volumeId, named)
  start(context, reply, accepted)
  const { projectId } = actor
  const { result } = await ended(context, { operationId: accepted.operationId ?? '', projectId })
  const { connection = 'null', connectionInfo } = JSON.parse(result ?? '{}') as Result
  const common = { access_mode: mode, encrypted: false, qos_specs: null, discard: true }
  if (connectionInfo !== undefined) {
    const { driverVolumeType, data } = JSON.parse(connectionInfo) as ConnectionInfo
    return { driver_volume_type: driverVolumeType, data: { ...data, ...common } }
  }
  return { driver_volume_type: 'blockdev', data: { blockdev: JSON.parse(connection) as unknown, ...common } }
}

async function asksGuests({ database, places }: ApiContext, volumeId: string): Promise<boolean> {
  const volume = await database
    .selectFrom('volumes')
    .select('backend')
    .where('id', '=', volumeId)
    .executeTakeFirst()
  return volume !== undefined && places.guestBackends?.includes(volume.backend) === true
}

/** Takes the volume back. Resolves to the operation's id, or undefined when nobody had it. */
export async function disconnect(
  context: ApiContext,
  reply: FastifyReply,
  actor: Actor,
  volumeId: string,
): Promise<string | undefined> {
  if ((await attachmentOf(context.database, volumeId)) === undefined) return undefined
  const accepted = await requestDetachment(context.database, actor, volumeId)
  start(context, reply, accepted)
  return accepted.operationId ?? undefined
}
