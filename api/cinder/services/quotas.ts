import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import {
  clearQuotas,
  defaultQuotaLimits,
  quotaLimits,
  quotaUsage,
  type QuotaValues,
  setQuotas,
} from '../../../database/quotas.ts'
import { RequestError } from '../../../domain/errors.ts'
import { QUOTA_DEFAULTS } from '../../../domain/quotas.ts'
import type { ApiContext, App } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'

const tags = ['quotas']
const PARAMS = z.object({ id: z.string().min(1).max(64) })
const LIMIT = z.coerce.number().int().min(-1).max(Number.MAX_SAFE_INTEGER)
const SET = z.record(z.string().max(300), z.unknown())

/** What clients send along, and is no quota. */
const OTHER_KEYS = new Set(['id', 'tenant_id', 'project_id', 'class_name', 'force', 'skip_validation'])

/** What a project may have, and what it has. */
export function quotaRoutes(app: App, context: ApiContext): void {
  setRoutes(app, context)
  classRoutes(app, context)
  app.get('/limits', { schema: { tags, summary: 'Show limits and usage' } }, async (request) => {
    const { projectId } = callerOf(request)
    return { limits: { rate: [], absolute: await absolute(context, projectId) } }
  })
}

function setRoutes(app: App, context: ApiContext): void {
  const { database } = context
  const schema = { tags, summary: 'Quotas of a project', params: PARAMS }
  const url = '/os-quota-sets/:id'
  const usage = z.object({ usage: z.string().optional() })
  app.get(url, { schema: { ...schema, querystring: usage } }, async (request) => {
    const { id } = request.params
    requireOwn(request, id)
    const limits = await namedLimits(context, await quotaLimits(database, id))
    if (!/^(?:true|1)$/i.test(request.query.usage ?? '')) return { quota_set: { id, ...limits } }
    const used = await quotaUsage(database, id)
    const entries = Object.entries(limits).map(
      ([name, limit]) => [name, { limit, in_use: used[name] ?? 0, reserved: 0 }] as const,
    )
    return { quota_set: { id, ...Object.fromEntries(entries) } }
  })
  app.get(`${url}/defaults`, { schema }, async (request) => {
    requireOwn(request, request.params.id)
    const limits = await namedLimits(context, await defaultQuotaLimits(database))
    return { quota_set: { id: request.params.id, ...limits } }
  })
  const change = {
    config: { rule: 'admin' },
    schema: { ...schema, body: z.object({ quota_set: SET }) },
  } as const
  app.put(url, change, async (request) => {
    const { id } = request.params
    const changes = await checked(context, request.body.quota_set)
    await database.transaction().execute((tx) => setQuotas(tx, { scope: 'project', scopeId: id }, changes))
    return { quota_set: await namedLimits(context, await quotaLimits(database, id)) }
  })
  app.delete(url, { config: { rule: 'admin' }, schema }, async (request, reply) => {
    const scope = { scope: 'project', scopeId: request.params.id } as const
    await database.transaction().execute((tx) => clearQuotas(tx, scope))
    return reply.code(200).send()
  })
}

/** There is one class: what holds for projects without quotas of their own. */
function classRoutes(app: App, context: ApiContext): void {
  const { database } = context
  const schema = { tags, summary: 'Quotas of all projects', params: PARAMS }
  const limits = async () => namedLimits(context, await defaultQuotaLimits(database))
  const url = '/os-quota-class-sets/:id'
  app.get(url, { config: { rule: 'admin' }, schema }, async (request) => ({
    quota_class_set: { id: request.params.id, ...(await limits()) },
  }))
  const body = z.object({ quota_class_set: SET })
  app.put(url, { config: { rule: 'admin' }, schema: { ...schema, body } }, async (request) => {
    const { id } = request.params
    if (id !== 'default')
      throw new RequestError(404, 'quotaClassNotFound', `Quota class ${id} could not be found.`)
    const changes = await checked(context, request.body.quota_class_set)
    await database
      .transaction()
      .execute((tx) => setQuotas(tx, { scope: 'class', scopeId: 'default' }, changes))
    return { quota_class_set: await limits() }
  })
}

function requireOwn(request: FastifyRequest, projectId: string): void {
  const caller = callerOf(request)
  if (caller.isAdmin || caller.projectId === projectId) return
  throw new RequestError(
    403,
    'forbidden',
    "Policy doesn't allow volume_extension:quotas:show to be performed.",
  )
}

/** With those of each type of volumes, which are without a limit unless told. */
async function namedLimits(context: ApiContext, limits: QuotaValues): Promise<QuotaValues> {
  const ofTypes = (await typeQuotas(context)).map((name) => [name, limits[name] ?? -1] as const)
  const base = Object.keys(QUOTA_DEFAULTS).map((name) => [name, limits[name] ?? -1] as const)
  return Object.fromEntries([...base, ...ofTypes])
}

async function typeQuotas({ database }: ApiContext): Promise<string[]> {
  const types = await database.selectFrom('volumeTypes').select('name').orderBy('name').execute()
  return types.flatMap(({ name }) => [`volumes_${name}`, `gigabytes_${name}`, `snapshots_${name}`])
}

async function checked(context: ApiContext, given: z.infer<typeof SET>): Promise<QuotaValues> {
  const known = new Set<string>([...Object.keys(QUOTA_DEFAULTS), ...(await typeQuotas(context))])
  const changes = Object.entries(given).filter(([name]) => !OTHER_KEYS.has(name))
  const limits = changes.map(([name, value]) => {
    if (!known.has(name)) throw new RequestError(400, 'unknownQuota', `Bad key(s) in quota set: ${name}`)
    const limit = LIMIT.safeParse(value)
    if (limit.success && value !== null && value !== '') return [name, limit.data] as const
    throw new RequestError(400, 'invalidQuota', `Expected quota ${name} to be a whole number from -1.`)
  })
  return Object.fromEntries(limits)
}

async function absolute({ database }: ApiContext, projectId: string) {
  const limits = await quotaLimits(database, projectId)
  const used = await quotaUsage(database, projectId)
  return {
    maxTotalVolumes: limits.volumes,
    maxTotalVolumeGigabytes: limits.gigabytes,
    maxTotalSnapshots: limits.snapshots,
    maxTotalBackups: limits.backups,
    maxTotalBackupGigabytes: limits.backup_gigabytes,
    totalVolumesUsed: used.volumes,
    totalGigabytesUsed: used.gigabytes,
    totalSnapshotsUsed: used.snapshots,
    totalBackupsUsed: used.backups,
    totalBackupGigabytesUsed: used.backup_gigabytes,
  }
}
