import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { countRows, listRows } from '../../../database/cinder/list.ts'
import {
  acceptTransfer,
  createTransfer,
  deleteTransfer,
  requireTransfer,
  type TransferRow,
} from '../../../database/cinder/transfers.ts'
import { RequestError } from '../../../domain/errors.ts'
import { sees } from '../../../domain/policy.ts'
import { actorOf } from '../../actor.ts'
import type { ApiContext, App } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'
import { BOOLEAN, booleanOf, ID_PARAMS, NAME, REFERENCE } from '../fields.ts'
import { linksFor } from '../links.ts'
import { equals, type ListKind, parseListQuery } from '../list-query.ts'
import { minorOf, since } from '../microversion.ts'
import { owned } from '../owned.ts'
import { pageOf } from '../pages.ts'
import { cinderTime } from '../times.ts'

const CREATE = z.strictObject({
  transfer: z.looseObject({ volume_id: REFERENCE, name: NAME, no_snapshots: BOOLEAN.nullish() }),
})
const ACCEPT = z.strictObject({ accept: z.strictObject({ auth_key: z.string().min(1).max(255) }) })

const TRANSFERS: ListKind = {
  table: 'volumeTransfers',
  sortColumns: {
    ...{ id: 'id', name: 'name', display_name: 'name', volume_id: 'volumeId', created_at: 'createdAt' },
  },
  filters: { id: equals('id'), name: equals('name'), volume_id: equals('volumeId') },
}

/** The old path, and the one that came with 3.55 and lets snapshots stay behind. */
const PATHS = { 'os-volume-transfer': 0, 'volume-transfers': 55 } as const
const WITH_PROJECTS = 57
const tags = ['transfers']

export function transferRoutes(app: App, context: ApiContext): void {
  for (const [path, minor] of Object.entries(PATHS)) {
    listRoutes(app, context, { path: `/${path}`, minor })
    changeRoutes(app, context, { path: `/${path}`, minor })
  }
}

interface Path {
  readonly path: string
  /** Since when there is this path. */
  readonly minor: number
}

function listRoutes(app: App, context: ApiContext, { path, minor }: Path): void {
  const list = async (request: FastifyRequest, isDetailed: boolean) => {
    since(request, minor)
    const query = parseListQuery(request, TRANSFERS)
    const rows = await listRows(context.database, 'volumeTransfers', query.listing)
    const items = rows.map((row) =>
      isDetailed ? details(context, request, row) : summary(context, request, row),
    )
    const count = () => countRows(context.database, 'volumeTransfers', query.listing)
    return pageOf(context, request, 'transfers', { query, rows, items, count })
  }
  app.get(path, { schema: { tags, summary: 'List transfers' } }, (request) => list(request, false))
  app.get(`${path}/detail`, { schema: { tags, summary: 'List transfers with details' } }, (request) =>
    list(request, true),
  )
  app.get(
    `${path}/:id`,
    { schema: { tags, summary: 'Show a transfer', params: ID_PARAMS } },
    async (request) => {
      since(request, minor)
      return { transfer: details(context, request, await ownTransfer(context, request, request.params.id)) }
    },
  )
}

function changeRoutes(app: App, context: ApiContext, { path, minor }: Path): void {
  const { database } = context
  app.post(path, { schema: { tags, summary: 'Offer a volume', body: CREATE } }, async (request, reply) => {
    since(request, minor)
    const { volume_id, name, no_snapshots } = request.body.transfer
    const { row: volume, actor } = await owned(context, request, 'volume', volume_id)
    const { row, key } = await createTransfer(database, actor, {
      volumeId: volume.id,
      name: name ?? null,
      noSnapshots: no_snapshots != null && booleanOf('no_snapshots', no_snapshots),
    })
    return reply.code(202).send({ transfer: { ...details(context, request, row), auth_key: key } })
  })
  app.post(
    `${path}/:id/accept`,
    { schema: { tags, summary: 'Take a volume', params: ID_PARAMS, body: ACCEPT } },
    async (request, reply) => {
      since(request, minor)
      const { id } = request.params
      const accepted = { id, key: request.body.accept.auth_key }
      const row = await acceptTransfer(database, actorOf(request), accepted)
      return reply.code(202).send({ transfer: summary(context, request, row) })
    },
  )
  app.delete(
    `${path}/:id`,
    { schema: { tags, summary: 'Offer it no more', params: ID_PARAMS } },
    async (request, reply) => {
      since(request, minor)
      const { id } = await ownTransfer(context, request, request.params.id)
      await deleteTransfer(database, id)
      return reply.code(202).send()
    },
  )
}

async function ownTransfer(
  { database }: ApiContext,
  request: FastifyRequest,
  id: string,
): Promise<TransferRow> {
  const row = await requireTransfer(database, id)
  if (sees(callerOf(request), row.projectId)) return row
  throw new RequestError(404, 'transferNotFound', `Transfer ${id} could not be found.`)
}

function summary(context: ApiContext, request: FastifyRequest, { id, name, volumeId }: TransferRow) {
  return { id, name, volume_id: volumeId, links: linksFor(context, request)('os-volume-transfer', id) }
}

function details(context: ApiContext, request: FastifyRequest, row: TransferRow) {
  const minor = minorOf(request)
  return {
    ...summary(context, request, row),
    created_at: cinderTime(row.createdAt),
    ...(minor >= PATHS['volume-transfers'] ? { no_snapshots: row.noSnapshots === 1 } : {}),
    ...(minor >= WITH_PROJECTS
      ? {
          source_project_id: row.projectId,
          destination_project_id: row.destinationProjectId,
          accepted: row.destinationProjectId !== null,
        }
      : {}),
  }
}
