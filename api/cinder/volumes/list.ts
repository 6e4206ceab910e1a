import type { FastifyRequest } from 'fastify'
import { type Condition, countRows, listRows } from '../../../database/cinder/list.ts'
import { volumeSummaryOf } from '../../../database/cinder/volumes.ts'
import { isClaim } from '../../../domain/volume-claims.ts'
import type { ApiContext, App } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'
import { Fault } from '../fault.ts'
import { booleanOf } from '../fields.ts'
import { backendOf } from '../hosts.ts'
import { linksFor } from '../links.ts'
import {
  compares,
  equals,
  type Filter,
  hasEntries,
  isTrue,
  type ListKind,
  parseListQuery,
  queryOf,
} from '../list-query.ts'
import { minorOf, since } from '../microversion.ts'
import { pageOf } from '../pages.ts'
import { quoted } from '../../validation-message.ts'
import { gibOf, volumeSummary, volumeViews } from './view.ts'

const host: Filter = (text) => [{ column: 'backend', in: [backendOf(text) ?? text] }]

/** We keep bytes: a volume of up to `size` GiB, and of more than one less. */
const GIB = 2 ** 30
const size: Filter = (text) => {
  const gib = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(gib)) throw new Fault(400, `Expected a size in GiB, got ${quoted(text)}.`)
  return [
    { column: 'sizeBytes', op: '<=', value: gib * GIB },
    { column: 'sizeBytes', op: '>', value: (gib - 1) * GIB },
  ]
}
const RESTING: Condition = { column: 'status', in: ['available', 'in-use'] }
/** As shown: a volume that is promised to somebody is neither available nor in use. */
const status: Filter = (text) =>
  isClaim(text)
    ? [RESTING, { column: 'claim', in: [text] }]
    : [
        { column: 'status', in: [text] },
        {
          any: [
            { column: 'claim', in: [null] },
            { column: 'status', notIn: ['available', 'in-use'] },
          ],
        },
      ]

/** All of ours count, and none is in a group. */
const always: Filter = (text) => (booleanOf('consumes_quota', text) ? [] : [{ column: 'id', in: [] }])
const never: Filter = () => [{ column: 'id', in: [] }]

const VOLUMES: ListKind = {
  table: 'volumes',
  sortColumns: {
    ...{ id: 'id', name: 'name', display_name: 'name', status: 'status', size: 'sizeBytes' },
    ...{ created_at: 'createdAt', updated_at: 'updatedAt', availability_zone: 'availabilityZone' },
    ...{ bootable: 'bootable', project_id: 'projectId', user_id: 'userId', volume_type_id: 'volumeType' },
    ...{ host: 'backend', description: 'description', display_description: 'description' },
    ...{ snapshot_id: 'snapshotId' },
  },
  filters: {
    ...{ id: equals('id'), name: equals('name'), display_name: equals('name'), status },
    ...{ description: equals('description'), availability_zone: equals('availabilityZone') },
    ...{ user_id: equals('userId'), volume_type: equals('volumeType'), size, host, group_id: never },
    ...{ volume_type_id: equals('volumeTypeId'), migration_status: equals('migrationStatus') },
    ...{ snapshot_id: equals('snapshotId'), source_volid: equals('sourceVolumeId') },
    ...{ bootable: isTrue('bootable'), metadata: hasEntries('metadata') },
    glance_metadata: hasEntries('volumeImageMetadata'),
    ...{ created_at: compares('createdAt'), updated_at: compares('updatedAt'), consumes_quota: always },
  },
  filterSince: {
    ...{ glance_metadata: 4, group_id: 10, created_at: 60, updated_at: 60, consumes_quota: 65 },
  },
}

export function volumeListRoutes(app: App, context: ApiContext): void {
  const list = async (request: FastifyRequest, isDetailed: boolean) => {
    const query = parseListQuery(request, VOLUMES)
    const rows = await listRows(context.database, 'volumes', query.listing)
    const links = linksFor(context, request)
    const items = isDetailed
      ? await volumeViews(context, request, rows)
      : rows.map((row) => volumeSummary(row, links))
    const count = () => countRows(context.database, 'volumes', query.listing)
    return pageOf(context, request, 'volumes', { query, rows, items, count })
  }
  const tags = ['volumes']
  app.get('/volumes', { schema: { tags, summary: 'List volumes' } }, (request) => list(request, false))
  app.get('/volumes/detail', { schema: { tags, summary: 'List volumes with details' } }, (request) =>
    list(request, true),
  )
  app.get(
    '/volumes/summary',
    { schema: { tags, summary: 'Number and size of volumes' } },
    async (request) => {
      since(request, 12)
      const { projectId, isAdmin } = callerOf(request)
      const everybody = isAdmin && booleanOf('all_tenants', queryOf(request).all_tenants ?? 'false')
      const { count, sizes, metadata } = await volumeSummaryOf(
        context.database,
        everybody ? undefined : projectId,
      )
      const totals = { total_count: count, total_size: sizes.reduce((sum, bytes) => sum + gibOf(bytes), 0) }
      return { 'volume-summary': minorOf(request) >= 36 ? { ...totals, metadata } : totals }
    },
  )
}
