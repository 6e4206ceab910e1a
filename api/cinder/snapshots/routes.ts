import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { countRows, listRows } from '../../../database/cinder/list.ts'
import { describe } from '../../../database/cinder/volumes.ts'
import { requestSnapshot, requestSnapshotDeletion } from '../../../database/requests/snapshots.ts'
import type { ApiContext, App } from '../../context.ts'
import { Fault } from '../fault.ts'
import { BOOLEAN, booleanOf, given, ID_PARAMS, NAME, OPTIONAL_METADATA, REFERENCE } from '../fields.ts'
import { compares, equals, hasEntries, type ListKind, parseListQuery } from '../list-query.ts'
import { metadataRoutes } from '../metadata.ts'
import { minorOf } from '../microversion.ts'
import { owned } from '../owned.ts'
import { pageOf } from '../pages.ts'
import { start } from '../start.ts'
import { described } from '../volumes/routes.ts'
import { snapshotActionRoute } from './actions.ts'
import { changedSnapshotView, snapshotSummary, snapshotView } from './view.ts'

const CREATE = z.strictObject({
  snapshot: z.looseObject({
    volume_id: REFERENCE.nullable(),
    name: NAME,
    description: NAME,
    display_name: NAME,
    display_description: NAME,
    force: BOOLEAN.nullish(),
    metadata: OPTIONAL_METADATA,
  }),
})

const UPDATE = z.strictObject({
  snapshot: z.looseObject({
    name: NAME,
    description: NAME,
    display_name: NAME,
    display_description: NAME,
  }),
})

const SNAPSHOTS: ListKind = {
  table: 'snapshots',
  sortColumns: {
    ...{ id: 'id', name: 'name', display_name: 'name', status: 'status', size: 'sizeBytes' },
    ...{ created_at: 'createdAt', updated_at: 'updatedAt', volume_id: 'volumeId' },
    ...{ description: 'description', project_id: 'projectId' },
  },
  filters: {
    ...{ id: equals('id'), name: equals('name'), display_name: equals('name'), status: equals('status') },
    ...{ volume_id: equals('volumeId'), user_id: equals('userId'), metadata: hasEntries('metadata') },
    ...{ created_at: compares('createdAt'), updated_at: compares('updatedAt') },
    // All of ours count, and are in the one zone.
    consumes_quota: (text) => (booleanOf('consumes_quota', text) ? [] : [{ column: 'id', in: [] }]),
    availability_zone: (text) => (text === 'nova' ? [] : [{ column: 'id', in: [] }]),
  },
  filterSince: { metadata: 22, created_at: 60, updated_at: 60, consumes_quota: 65 },
}

/** Since when volumes in use are snapshotted without being told to. */
const NO_FORCE = 66

export function snapshotRoutes(app: App, context: ApiContext): void {
  const list = async (request: FastifyRequest, isDetailed: boolean) => {
    const query = parseListQuery(request, SNAPSHOTS)
    const rows = await listRows(context.database, 'snapshots', query.listing)
    const items = rows.map((row) => (isDetailed ? snapshotView(request, row) : snapshotSummary(request, row)))
    const count = () => countRows(context.database, 'snapshots', query.listing)
    return pageOf(context, request, 'snapshots', { query, rows, items, count })
  }
  const tags = ['snapshots']
  app.get('/snapshots', { schema: { tags, summary: 'List snapshots' } }, (request) => list(request, false))
  app.get('/snapshots/detail', { schema: { tags, summary: 'List snapshots with details' } }, (request) =>
    list(request, true),
  )
  app.get(
    '/snapshots/:id',
    { schema: { tags, summary: 'Show a snapshot', params: ID_PARAMS } },
    async (request) => {
      const { row } = await owned(context, request, 'snapshot', request.params.id)
      return { snapshot: snapshotView(request, row) }
    },
  )
  changeRoutes(app, context)
  metadataRoutes(app, context, 'snapshot')
  snapshotActionRoute(app, context)
}

function changeRoutes(app: App, context: ApiContext): void {
  const tags = ['snapshots']
  app.post(
    '/snapshots',
    { schema: { tags, summary: 'Take a snapshot of a volume', body: CREATE } },
    async (request, reply) => {
      const { snapshot } = request.body
      const { row: volume, actor } = await owned(context, request, 'volume', snapshot.volume_id ?? 'null')
      if (volume.status === 'in-use' && !isForced(request, snapshot.force))
        throw new Fault(400, `Invalid volume: Volume ${volume.id} status must be available, but is in-use.`)
      isForced(request, snapshot.force)
      const name = given(snapshot.name ?? snapshot.display_name)
      const description = given(snapshot.description ?? snapshot.display_description)
      const accepted = await requestSnapshot(context.database, actor, {
        volumeId: volume.id,
        ...(name === undefined ? {} : { name }),
        ...(description === undefined ? {} : { description }),
        ...(snapshot.metadata == null ? {} : { metadata: snapshot.metadata }),
      })
      start(context, reply, accepted)
      const { row } = await owned(context, request, 'snapshot', accepted.resourceId)
      return reply.code(202).send({ snapshot: changedSnapshotView(request, row) })
    },
  )
  app.put(
    '/snapshots/:id',
    { schema: { tags, summary: 'Rename a snapshot', params: ID_PARAMS, body: UPDATE } },
    async (request) => {
      const { snapshot } = request.body
      const { row } = await owned(context, request, 'snapshot', request.params.id)
      await describe(context.database, 'snapshot', row.id, described(snapshot))
      const changed = await owned(context, request, 'snapshot', row.id)
      return { snapshot: changedSnapshotView(request, changed.row) }
    },
  )
  app.delete(
    '/snapshots/:id',
    { schema: { tags, summary: 'Delete a snapshot', params: ID_PARAMS } },
    async (request, reply) => {
      const { row, actor } = await owned(context, request, 'snapshot', request.params.id)
      start(context, reply, await requestSnapshotDeletion(context.database, actor, row.id))
      return reply.code(202).send()
    },
  )
}

function isForced(request: FastifyRequest, force: unknown): boolean {
  if (minorOf(request) < NO_FORCE) return force != null && booleanOf('force', force)
  if (force != null && !booleanOf('force', force))
    throw new Fault(400, 'Expected force to be true or left out: since 3.66 there is no other way.')
  return true
}
