import { z } from 'zod'
import { attachVolume, claimVolume, connectionsTo } from '../../../database/cinder/claims.ts'
import { setColumns } from '../../../database/cinder/volumes.ts'
import { claimedStatus, type VolumeClaim } from '../../../domain/volume-claims.ts'
import { type Action, action, type ActionCall, NOTHING } from '../actions.ts'
import { connect, CONNECTOR, disconnect } from '../attachments/connect.ts'
import { Fault } from '../fault.ts'
import { OPTIONAL_REFERENCE, REFERENCE } from '../fields.ts'
import { owned } from '../owned.ts'

const ATTACH = z.strictObject({
  instance_uuid: OPTIONAL_REFERENCE,
  host_name: OPTIONAL_REFERENCE,
  mountpoint: REFERENCE,
  mode: z.enum(['rw', 'ro']).exactOptional(),
})
const DETACH = z.looseObject({ attachment_id: OPTIONAL_REFERENCE, connector: CONNECTOR.nullish() }).nullable()

/** What Nova says while it gives a volume to a server, and takes it back. */
export const ATTACH_ACTIONS: Readonly<Record<string, Action>> = {
  'os-reserve': claims(['available'], 'attaching'),
  'os-unreserve': claims(['attaching'], null),
  'os-begin_detaching': claims(['in-use'], 'detaching'),
  'os-roll_detaching': claims(['detaching'], null),
  'os-attach': action(ATTACH, async ({ context, request, reply, id }, params) => {
    const { instance_uuid, host_name, mountpoint, mode = 'rw' } = params
    if (instance_uuid != null && host_name != null)
      throw new Fault(400, 'Invalid request to attach volume to an instance and a host simultaneously.')
    const { row, actor } = await owned(context, request, 'volume', id)
    await attachVolume(context.database, actor, {
      volumeId: row.id,
      instanceId: instance_uuid ?? null,
      hostName: host_name ?? null,
      ...{ mountpoint, mode },
    })
    return reply.code(202).send()
  }),
  'os-detach': action(DETACH, (call, params) => detach(call, params?.attachment_id ?? undefined)),
  'os-force_detach': action(DETACH, (call, params) => detach(call, params?.attachment_id ?? undefined), {
    rule: 'admin',
  }),
  'os-initialize_connection': action(
    z.strictObject({ connector: CONNECTOR }),
    async ({ context, request, reply, id }, { connector }) => {
      const { row, actor } = await owned(context, request, 'volume', id)
      const mode = row.readOnly === 1 ? 'ro' : 'rw'
      const info = await connect(context, reply, actor, { volumeId: row.id, guest: connector.guest, mode })
      return reply.code(200).send({ connection_info: info })
    },
  ),
  'os-terminate_connection': action(
    z.strictObject({ connector: CONNECTOR.nullish() }),
    async ({ context, request, reply, id }) => {
      const { row, actor } = await owned(context, request, 'volume', id)
      // What was attached is taken back by os-detach, which follows.
      if ((await connectionsTo(context.database, row.id)).length === 0)
        await disconnect(context, reply, actor, row.id)
      return reply.code(202).send()
    },
  ),
}

function claims(from: readonly string[], claim: VolumeClaim | null): Action {
  return action(NOTHING, async ({ context, request, reply, id }) => {
    const { row } = await owned(context, request, 'volume', id)
    await claimVolume(context.database, row, { from, claim })
    return reply.code(202).send()
  })
}

async function detach({ context, request, reply, id }: ActionCall, attachmentId: string | undefined) {
  const { row, actor } = await owned(context, request, 'volume', id)
  const connections = await connectionsTo(context.database, row.id)
  if (attachmentId !== undefined && !connections.some((one) => one.id === attachmentId))
    throw new Fault(404, `Volume attachment could not be found with filter: attachment_id = ${attachmentId}.`)
  const status = claimedStatus(row)
  if (status !== 'in-use' && status !== 'detaching' && status !== 'attaching')
    throw new Fault(
      400,
      `Invalid volume: Unable to detach volume. Volume status must be in-use, but is ${status}.`,
    )
  const operationId = await disconnect(context, reply, actor, row.id)
  if (operationId === undefined) await setColumns(context.database, 'volume', row.id, { claim: null })
  return reply.code(202).send()
}
