import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { countRows, listRows } from '../../../database/cinder/list.ts'
import { describe } from '../../../database/cinder/volumes.ts'
import { requestBackupDeletion } from '../../../database/requests/backups.ts'
import type { ApiContext, App } from '../../context.ts'
import { Fault } from '../fault.ts'
import { ID_PARAMS, METADATA, NAME } from '../fields.ts'
import { linksFor } from '../links.ts'
import { compares, equals, hasEntries, type ListKind, parseListQuery } from '../list-query.ts'
import { minorOf, since } from '../microversion.ts'
import { owned } from '../owned.ts'
import { pageOf } from '../pages.ts'
import { start } from '../start.ts'
import { described } from '../volumes/routes.ts'
import { backupActionRoute } from './actions.ts'
import { backupCreateRoute } from './create.ts'
import { backupRecordRoutes } from './records.ts'
import { restoreRoute } from './restore.ts'
import { backupSummary, backupViews } from './view.ts'

const UPDATE = z.strictObject({
  backup: z.strictObject({ name: NAME, description: NAME, metadata: METADATA.exactOptional() }).nullable(),
})

const BACKUPS: ListKind = {
  table: 'backups',
  sortColumns: {
    ...{ id: 'id', name: 'name', display_name: 'name', status: 'status', size: 'sizeBytes' },
    ...{
      volume_id: 'volumeId',
      created_at: 'createdAt',
      updated_at: 'updatedAt',
      data_timestamp: 'dataTimestamp',
    },
    ...{ container: 'target', user_id: 'userId', project_id: 'projectId', snapshot_id: 'snapshotId' },
  },
  filters: {
    ...{ id: equals('id'), name: equals('name'), status: equals('status'), volume_id: equals('volumeId') },
    ...{ snapshot_id: equals('snapshotId'), user_id: equals('userId'), metadata: hasEntries('metadata') },
    ...{ created_at: compares('createdAt'), updated_at: compares('updatedAt'), container: equals('target') },
  },
}

/** Since when backups can be renamed, and have metadata. */
const RENAME = 9
const WITH_METADATA = 43

export function backupRoutes(app: App, context: ApiContext): void {
  const list = async (request: FastifyRequest, isDetailed: boolean) => {
    const query = parseListQuery(request, BACKUPS)
    const rows = await listRows(context.database, 'backups', query.listing)
    const links = linksFor(context, request)
    const items = isDetailed
      ? await backupViews(context, request, rows)
      : rows.map((row) => backupSummary(row, links))
    const count = () => countRows(context.database, 'backups', query.listing)
    return pageOf(context, request, 'backups', { query, rows, items, count })
  }
  const tags = ['backups']
  app.get('/backups', { schema: { tags, summary: 'List backups' } }, (request) => list(request, false))
  app.get('/backups/detail', { schema: { tags, summary: 'List backups with details' } }, (request) =>
    list(request, true),
  )
  app.get(
    '/backups/:id',
    { schema: { tags, summary: 'Show a backup', params: ID_PARAMS } },
    async (request) => {
      const { row } = await owned(context, request, 'backup', request.params.id)
      const [backup] = await backupViews(context, request, [row])
      return { backup }
    },
  )
  backupCreateRoute(app, context)
  restoreRoute(app, context)
  backupRecordRoutes(app, context)
  backupActionRoute(app, context)
  changeRoutes(app, context)
}

function changeRoutes(app: App, context: ApiContext): void {
  const tags = ['backups']
  app.put(
    '/backups/:id',
    { schema: { tags, summary: 'Rename a backup', params: ID_PARAMS, body: UPDATE } },
    async (request) => {
      since(request, RENAME)
      const { backup } = request.body
      if (backup === null || Object.keys(backup).length === 0)
        throw new Fault(400, 'Expected a name, a description or metadata, got none.')
      if (backup.metadata !== undefined && minorOf(request) < WITH_METADATA)
        throw new Fault(400, 'Expected no metadata: backups have them since 3.43.')
      const { row } = await owned(context, request, 'backup', request.params.id)
      await describe(context.database, 'backup', row.id, described(backup))
      const changed = await owned(context, request, 'backup', row.id)
      return { backup: backupSummary(changed.row, linksFor(context, request)) }
    },
  )
  app.delete(
    '/backups/:id',
    { schema: { tags, summary: 'Delete a backup', params: ID_PARAMS } },
    async (request, reply) => {
      const { row, actor } = await owned(context, request, 'backup', request.params.id)
      start(context, reply, await requestBackupDeletion(context.database, actor, row.id))
      return reply.code(202).send()
    },
  )
}
