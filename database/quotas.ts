import { sql } from 'kysely'
import { RequestError } from '../domain/errors.ts'
import type { OperationKind } from '../domain/operations.ts'
import { growthOf, QUOTA_DEFAULTS, quotaMessage, quotasFor } from '../domain/quotas.ts'
import { GiB } from '../domain/sizes.ts'
import type { Database } from './open.ts'
import type { Tx } from './resources.ts'

/** Quota -> how much: things, or GiB of which each begun one counts. */
export type QuotaValues = Readonly<Record<string, number>>

/** What holds for a project: its own limits, before those of the class `default`, before the configured ones, before Cinder's. */
export async function quotaLimits(database: Database | Tx, projectId: string): Promise<QuotaValues> {
  const rows = await database
    .selectFrom('quotas')
    .selectAll()
    .where((eb) => eb.or([eb('scope', '!=', 'project'), eb('scopeId', '=', projectId)]))
    .execute()
  const of = (scope: string) =>
    Object.fromEntries(rows.filter((row) => row.scope === scope).map((row) => [row.resource, row.hardLimit]))
  return { ...QUOTA_DEFAULTS, ...of('config'), ...of('class'), ...of('project') }
}

/** What a project without limits of its own has. */
export function defaultQuotaLimits(database: Database | Tx): Promise<QuotaValues> {
  return quotaLimits(database, '')
}

interface QuotaScope {
  readonly scope: 'project' | 'class' | 'config'
  readonly scopeId: string
}

/** Leaves what is not named. */
export async function setQuotas(tx: Tx, scope: QuotaScope, limits: QuotaValues): Promise<void> {
  for (const [resource, hardLimit] of Object.entries(limits))
    await tx
      .insertInto('quotas')
      .values({ ...scope, resource, hardLimit })
      .onConflict((conflict) => conflict.columns(['scope', 'scopeId', 'resource']).doUpdateSet({ hardLimit }))
      .execute()
}

/** Back to what holds for everybody. */
export async function clearQuotas(tx: Tx, { scope, scopeId }: QuotaScope): Promise<void> {
  await tx.deleteFrom('quotas').where('scope', '=', scope).where('scopeId', '=', scopeId).execute()
}

/** What the project has, whatever its status, and what its volumes are growing to. Also of each type of its volumes. */
export async function quotaUsage(database: Database | Tx, projectId: string): Promise<QuotaValues> {
  return {
    ...(await volumeUsage(database, projectId)),
    ...(await backupUsage(database, projectId)),
  }
}

/**
 * Throws RequestError 413 when the project has more than it may, now that an operation of this kind was accepted for this resource. Changes
 * happen one after the other, so in the same transaction nobody comes in between.
 */
export async function checkQuotas(
  tx: Tx,
  { kind, projectId, resourceId }: { kind: OperationKind; projectId: string; resourceId: string },
): Promise<void> {
  const growth = growthOf(kind)
  if (growth === undefined) return
  const limits = await quotaLimits(tx, projectId)
  const { volumeType, grownGiB, wholeGiB } = await growthOfResource(tx, growth, resourceId)
  const perVolume = limits.per_volume_gigabytes ?? -1
  if ((growth === 'volume' || growth === 'size') && perVolume >= 0 && wholeGiB > perVolume)
    throw exceeded(`Requested volume size ${wholeGiB}G is larger than maximum allowed limit ${perVolume}G.`)
  const names = quotasFor(growth, volumeType).filter((name) => (limits[name] ?? -1) >= 0)
  if (names.length === 0) return
  const usage = growth === 'backup' ? await backupUsage(tx, projectId) : await volumeUsage(tx, projectId)
  for (const name of names) {
    const limit = limits[name] ?? -1
    const total = usage[name] ?? 0
    const requested = name.includes('gigabytes') ? grownGiB : 1
    if (total > limit) throw exceeded(quotaMessage(name, { limit, used: total - requested, requested }))
  }
}

function exceeded(message: string): RequestError {
  return new RequestError(413, 'quotaExceeded', message)
}

async function growthOfResource(
  tx: Tx,
  growth: 'volume' | 'snapshot' | 'backup' | 'size',
  id: string,
): Promise<{ volumeType: string | null; grownGiB: number; wholeGiB: number }> {
  const table = { volume: 'volumes', size: 'volumes', snapshot: 'snapshots', backup: 'backups' } as const
  const row = await tx
    .selectFrom(table[growth] as 'volumes')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const owner = growth === 'snapshot' ? (row as unknown as { volumeId: string }).volumeId : id
  const volume =
    growth === 'backup'
      ? undefined
      : await tx.selectFrom('volumes').select('volumeType').where('id', '=', owner).executeTakeFirst()
  const before = gibibytes(row.sizeBytes)
  const extension = growth === 'size' ? await pendingExtensions(tx, row.projectId) : []
  const wholeGiB = gibibytes(extension.find(({ volumeId }) => volumeId === id)?.sizeBytes ?? row.sizeBytes)
  const grownGiB = growth === 'size' ? wholeGiB - before : wholeGiB
  return { volumeType: volume?.volumeType ?? null, grownGiB, wholeGiB }
}

/** Literals, because a driver may send numbers as floating-point ones, and those divide differently. */
const GIGABYTES = sql<number>`coalesce(sum((size_bytes + ${sql.raw(String(GiB - 1))}) / ${sql.raw(String(GiB))}), 0)`
const SNAPSHOT_GIGABYTES = sql<number>`coalesce(sum((snapshots.size_bytes + ${sql.raw(String(GiB - 1))}) / ${sql.raw(String(GiB))}), 0)`

async function volumeUsage(database: Database | Tx, projectId: string): Promise<Record<string, number>> {
  const usage: Record<string, number> = { volumes: 0, gigabytes: 0, snapshots: 0 }
  const add = (name: string, volumeType: string | null, amount: number) => {
    for (const full of volumeType === null ? [name] : [name, `${name}_${volumeType}`])
      usage[full] = (usage[full] ?? 0) + amount
  }
  const volumes = await database
    .selectFrom('volumes')
    .select(({ fn }) => ['volumeType', fn.countAll<number>().as('count'), GIGABYTES.as('size')])
    .where('projectId', '=', projectId)
    .groupBy('volumeType')
    .execute()
  for (const { volumeType, count, size } of volumes) {
    add('volumes', volumeType, count)
    add('gigabytes', volumeType, size)
  }
  const snapshots = await database
    .selectFrom('snapshots')
    .leftJoin('volumes', 'volumes.id', 'snapshots.volumeId')
    .select(({ fn }) => [
      'volumes.volumeType',
      fn.countAll<number>().as('count'),
      SNAPSHOT_GIGABYTES.as('size'),
    ])
    .where('snapshots.projectId', '=', projectId)
    .groupBy('volumes.volumeType')
    .execute()
  for (const { volumeType, count, size } of snapshots) {
    add('snapshots', volumeType, count)
    add('gigabytes', volumeType, size)
  }
  for (const { volumeType, sizeBytes, rowBytes } of await pendingExtensions(database, projectId))
    add('gigabytes', volumeType, gibibytes(sizeBytes) - gibibytes(rowBytes))
  return usage
}

/** The row shows the larger size only when the operation has succeeded; it counts from the moment it was accepted. */
async function pendingExtensions(
  database: Database | Tx,
  projectId: string,
): Promise<{ volumeId: string; volumeType: string | null; sizeBytes: number; rowBytes: number }[]> {
  const rows = await database
    .selectFrom('operations')
    .innerJoin('volumes', 'volumes.id', 'operations.resourceId')
    .select(['operations.spec', 'volumes.id', 'volumes.volumeType', 'volumes.sizeBytes'])
    .where('operations.projectId', '=', projectId)
    .where('operations.kind', '=', 'extend-volume')
    .where('operations.state', 'in', ['pending', 'running'])
    .execute()
  return rows.map(({ spec, id, volumeType, sizeBytes: rowBytes }) => ({
    ...{ volumeId: id, volumeType, rowBytes },
    sizeBytes: (JSON.parse(spec) as { sizeBytes: number }).sizeBytes,
  }))
}

async function backupUsage(database: Database | Tx, projectId: string): Promise<Record<string, number>> {
  const { count, size } = await database
    .selectFrom('backups')
    .select(({ fn }) => [fn.countAll<number>().as('count'), GIGABYTES.as('size')])
    .where('projectId', '=', projectId)
    .executeTakeFirstOrThrow()
  return { backups: count, backup_gigabytes: size }
}

function gibibytes(bytes: number): number {
  return Math.ceil(bytes / GiB)
}
