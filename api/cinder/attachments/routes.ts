import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import {
  completeConnection,
  connectionOf,
  type ConnectionRow,
  connectionsTo,
  dropConnection,
  noteConnection,
  reserveConnection,
} from '../../../database/cinder/claims.ts'
import { listRows } from '../../../database/cinder/list.ts'
import { setColumns } from '../../../database/cinder/volumes.ts'
import type { Actor } from '../../../database/operations/accept.ts'
import { sees } from '../../../domain/policy.ts'
import { actorOf } from '../../actor.ts'
import type { ApiContext, App } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'
import { action, type ActionCall, actionRoute, NOTHING } from '../actions.ts'
import { ended } from '../ended.ts'
import { Fault } from '../fault.ts'
import { ID_PARAMS, OPTIONAL_REFERENCE, REFERENCE } from '../fields.ts'
import { equals, type ListKind, parseListQuery } from '../list-query.ts'
import { since } from '../microversion.ts'
import { owned } from '../owned.ts'
import { pageOf } from '../pages.ts'
import { connect, CONNECTOR, disconnect } from './connect.ts'
import { attachmentSummary, attachmentView } from './view.ts'

const MODE = z.enum(['rw', 'ro', 'null']).nullish()
const CREATE = z.strictObject({
  attachment: z.strictObject({
    volume_uuid: REFERENCE,
    instance_uuid: OPTIONAL_REFERENCE,
    connector: CONNECTOR.nullish(),
    mode: MODE,
  }),
})
const UPDATE = z.strictObject({ attachment: z.strictObject({ connector: CONNECTOR, mode: MODE }) })

const ATTACHMENTS: ListKind = {
  table: 'volumeConnections',
  sortColumns: { id: 'id', created_at: 'createdAt', updated_at: 'updatedAt', volume_id: 'volumeId' },
  filters: {
    ...{ volume_id: equals('volumeId'), instance_id: equals('instanceId'), status: equals('status') },
    attach_status: equals('status'),
  },
}

const SINCE = 27
const tags = ['attachments']

export function attachmentRoutes(app: App, context: ApiContext): void {
  const list = async (request: FastifyRequest, view: (row: ConnectionRow) => object) => {
    since(request, SINCE)
    const query = parseListQuery(request, ATTACHMENTS)
    const rows = await listRows(context.database, 'volumeConnections', query.listing)
    const items = rows.map(view)
    return pageOf(context, request, 'attachments', { query, rows, items, count: async () => rows.length })
  }
  app.get('/attachments', { schema: { tags, summary: 'List attachments' } }, (request) =>
    list(request, attachmentSummary),
  )
  app.get('/attachments/detail', { schema: { tags, summary: 'List attachments with details' } }, (request) =>
    list(request, attachmentView),
  )
  app.get(
    '/attachments/:id',
    { schema: { tags, summary: 'Show an attachment', params: ID_PARAMS } },
    async (request) => {
      since(request, SINCE)
      const { row } = await requireConnection(context, request, request.params.id)
      return { attachment: attachmentView(row) }
    },
  )
  createRoute(app, context)
  changeRoutes(app, context)
  actionRoute(app, context, 'attachments', {
    'os-complete': action(NOTHING, complete, { since: 44 }),
  })
}

function createRoute(app: App, context: ApiContext): void {
  app.post(
    '/attachments',
    { schema: { tags, summary: 'Reserve a volume, and connect it', body: CREATE } },
    async (request, reply) => {
      since(request, SINCE)
      const { volume_uuid, instance_uuid, connector, mode } = request.body.attachment
      const { row: volume, actor } = await owned(context, request, 'volume', volume_uuid)
      const id = await reserveConnection(context.database, actor, {
        volumeId: volume.id,
        instanceId: instance_uuid ?? null,
        mode: mode === 'ro' || volume.readOnly === 1 ? 'ro' : 'rw',
      })
      if (connector != null && Object.keys(connector).length > 0) {
        const { row } = await requireConnection(context, request, id)
        await initialize({ context, request, reply, id }, row, actor, connector).catch(
          async (error: unknown) => {
            await dropConnection(context.database, row)
            throw error
          },
        )
      }
      const { row } = await requireConnection(context, request, id)
      return reply.code(200).send({ attachment: attachmentView(row) })
    },
  )
}

function changeRoutes(app: App, context: ApiContext): void {
  app.put(
    '/attachments/:id',
    { schema: { tags, summary: 'Connect a reserved volume', params: ID_PARAMS, body: UPDATE } },
    async (request, reply) => {
      since(request, SINCE)
      const { id } = request.params
      const { connector } = request.body.attachment
      if (Object.keys(connector).length === 0) throw new Fault(400, 'Expected a connector, got an empty one.')
      const { row, actor } = await requireConnection(context, request, id)
      await initialize({ context, request, reply, id }, row, actor, connector)
      const changed = await requireConnection(context, request, id)
      return reply.code(200).send({ attachment: attachmentView(changed.row) })
    },
  )
  app.delete(
    '/attachments/:id',
    { schema: { tags, summary: 'Give a volume back', params: ID_PARAMS } },
    async (request, reply) => {
      since(request, SINCE)
      const { row, actor } = await requireConnection(context, request, request.params.id)
      const operationId = await disconnect(context, reply, actor, row.volumeId)
      if (operationId === undefined) await dropConnection(context.database, row)
      else await ended(context, { operationId, projectId: actor.projectId })
      const left = await connectionsTo(context.database, row.volumeId)
      return reply.code(200).send({ attachments: left.map(attachmentSummary) })
    },
  )
}

async function initialize(
  { context, reply }: ActionCall,
  row: ConnectionRow,
  actor: Actor,
  connector: z.infer<typeof CONNECTOR>,
): Promise<void> {
  const { volumeId, instanceId, mode } = row
  const info = await connect(context, reply, actor, { volumeId, guest: connector.guest, instanceId, mode })
  await noteConnection(context.database, row.id, {
    ...(row.status === 'attached' ? {} : { status: 'attaching' as const }),
    connector: JSON.stringify(connector),
    connectionInfo: JSON.stringify(info),
    hostName: connector.host ?? null,
  })
  if (row.status !== 'attached')
    await setColumns(context.database, 'volume', row.volumeId, { claim: 'attaching' })
}

async function complete({ context, request, reply, id }: ActionCall) {
  const { row, actor } = await requireConnection(context, request, id)
  await completeConnection(context.database, actor, row.id)
  return reply.code(204).send()
}

/** Throws a 404, also for another project's. */
async function requireConnection({ database }: ApiContext, request: FastifyRequest, id: string) {
  const row = await connectionOf(database, id)
  if (row !== undefined && sees(callerOf(request), row.projectId))
    return { row, actor: { ...actorOf(request), projectId: row.projectId } }
  throw new Fault(404, `Volume attachment could not be found with filter: attachment_id = ${id}.`)
}
