/** From the rows to the bytes: every resource at rest has what its row says. */
import pMap from 'p-map'
import {
  everyResource,
  type Hold,
  holdsOn,
  idsInWork,
  type ResourceRow,
  resourcesById,
} from '../../../database/audit.ts'
import { resetUnheld } from '../../../database/operations/left-locks.ts'
import type { StoredResourceType } from '../../../database/resources.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { busyStatus } from '../../../domain/operations.ts'
import type { StoredThing } from '../../../drivers/inventory.ts'
import { findCinderBackup } from '../cinder-backups.ts'
import type { FsckContext } from '../context.ts'
import type { Check, Finding } from '../finding.ts'
import { findRecord } from '../records.ts'

const TYPES = ['volume', 'snapshot', 'image', 'backup'] as const

/** Statuses in which nobody may expect bytes, besides those in which they are in flux. */
const WITHOUT_BYTES = ['error', 'error_deleting', 'error_managing', 'queued', 'saving', 'uploading']

export function resourceChecks(context: FsckContext): Check[] {
  return TYPES.map((type) => ({ name: `${type} rows`, find: () => findIn(context, type) }))
}

async function* findIn(context: FsckContext, type: StoredResourceType): AsyncGenerator<Finding> {
  let seen = 0
  for await (const rows of everyResource(context.database, type)) {
    const ids = rows.map(({ id }) => id)
    const holds = Map.groupBy(await holdsOn(context.database, ids), ({ resourceId }) => resourceId)
    const inWork = await idsInWork(context.database, ids)
    const settled = rows.filter((row) => context.isSettled(row.updatedAt ?? row.createdAt))
    for (const row of settled) {
      yield* unheld(context, type, row, { holds: holds.get(row.id) ?? [], inWork: inWork.has(row.id) })
    }
    const resting = settled.filter((row) => !isInFlux(type, row, holds.get(row.id) ?? []))
    const found = await pMap(resting, (row) => compare(context, type, row), {
      concurrency: LIMITS.fsckLooks,
    })
    for (const finding of found) if (finding !== undefined) yield finding
    if (type === 'snapshot') yield* parentless(context, resting)
    seen += rows.length
    context.progress(`${type} rows`, seen)
  }
}

/** Somebody may be changing the bytes right now. */
function isInFlux(type: StoredResourceType, { status }: ResourceRow, holds: readonly Hold[]): boolean {
  return busyStatus(type, status)?.inFlux === true || holds.some(({ mode }) => mode === 'exclusive')
}

function* unheld(
  { database }: FsckContext,
  type: StoredResourceType,
  { id, status }: ResourceRow,
  { holds, inWork }: { holds: readonly Hold[]; inWork: boolean },
): Generator<Finding> {
  const busy = busyStatus(type, status)
  // An image that is being uploaded has no operation yet.
  if (busy === undefined || holds.some((hold) => hold.busyStatus === status) || (type === 'image' && inWork))
    return
  yield {
    code: 'busy-without-operation',
    where: 'database',
    what: `${type} ${id}`,
    explanation: `It is ${status}, and no operation holds it: it would stay so for ever.`,
    next: `Its status becomes ${busy.failed}.`,
    mend: { needs: 'repair', run: () => resetUnheld(database, type, id, status) },
  }
}

async function compare(
  context: FsckContext,
  type: StoredResourceType,
  row: ResourceRow,
): Promise<Finding | undefined> {
  const place = placeOf(row)
  const where = `${place.type} ${place.name}`
  const common = { where, what: `${type} ${row.id}` }
  if (!isConfigured(context, place)) {
    return {
      ...common,
      code: 'place-unknown',
      explanation: `The database keeps it in ${where}, which is not in the configuration.`,
      next: 'Add the place to the configuration again.',
    }
  }
  if (WITHOUT_BYTES.includes(row.status) || !isOpen(context, place)) return undefined
  const stored = await look(context, type, row)
  if (stored?.problem !== undefined) {
    const code = type === 'backup' ? 'record-unreadable' : 'broken-chain'
    return { ...common, code, explanation: `${stored.problem}.`, next: rescue(type, row.id) }
  }
  if (stored === undefined) {
    const explanation = `The database says ${row.status}, and there is nothing of it.`
    return { ...common, code: `${type}-missing`, explanation, next: rescue(type, row.id) }
  }
  const [lost, ...others] = stored.missing ?? []
  if (lost !== undefined) {
    const more = others.length === 0 ? '' : ` and ${others.length} more`
    const explanation = `Its metadata name ${lost}${more}, and there is no such object.`
    return { ...common, code: 'object-missing', explanation, next: rescue(type, row.id) }
  }
  if (stored.sizeBytes === undefined || stored.sizeBytes === row.sizeBytes) return undefined
  return {
    ...common,
    code: 'size-mismatch',
    explanation: `It has ${stored.sizeBytes} bytes, the database says ${row.sizeBytes}.`,
    next: `Look before you trust it: volflow ${type} show ${row.id}`,
  }
}

async function look(
  { inventories, targets, cinderTargets, rbdTargets }: FsckContext,
  type: StoredResourceType,
  row: ResourceRow,
): Promise<(Pick<StoredThing, 'sizeBytes' | 'problem'> & { missing?: readonly string[] }) | undefined> {
  const { name } = placeOf(row)
  const cinder = cinderTargets.find((target) => target.name === name)
  if ('format' in row && cinder !== undefined) return findCinderBackup(cinder.store, row)
  const pooled = rbdTargets.find((target) => target.name === name)
  if ('format' in row && pooled !== undefined)
    return pooled.pool.findBackup({ backupId: row.id, volumeId: row.volumeId })
  if (type === 'backup') {
    const repository = targets.find((target) => target.name === name)?.repository
    return repository === undefined ? undefined : findRecord(repository, row)
  }
  const placeType = type === 'image' ? 'store' : 'backend'
  const place = inventories.find((one) => one.type === placeType && one.name === name)
  const volumeId = type === 'snapshot' && 'volumeId' in row ? { volumeId: row.volumeId } : {}
  return place?.inventory.find({ kind: type, id: row.id, ...volumeId })
}

function placeOf(row: ResourceRow): { type: 'backend' | 'store' | 'target'; name: string } {
  if ('backend' in row) return { type: 'backend', name: row.backend }
  return 'store' in row ? { type: 'store', name: row.store } : { type: 'target', name: row.target }
}

function isConfigured({ config }: FsckContext, { type, name }: ReturnType<typeof placeOf>): boolean {
  return (
    name in
    {
      backend: config.backends,
      store: config.stores,
      target: { ...config.targets, ...config.cinderTargets, ...config.rbdTargets },
    }[type]
  )
}

function isOpen(
  { inventories, targets, cinderTargets, rbdTargets }: FsckContext,
  place: ReturnType<typeof placeOf>,
): boolean {
  return place.type === 'target'
    ? [...targets, ...cinderTargets, ...rbdTargets].some(({ name }) => name === place.name)
    : inventories.some(({ type, name }) => type === place.type && name === place.name)
}

function rescue(type: StoredResourceType, id: string): string {
  if (type === 'image') return `Upload it again as a new image.`
  if (type === 'backup') return `Make another backup; then volflow backup delete ${id}`
  return `Restore it from a backup (volflow backup list); then volflow ${type} delete ${id}`
}

/** A backup needs no parent: each is whole. A snapshot is of a volume, and cannot outlive it. */
async function* parentless(context: FsckContext, rows: readonly ResourceRow[]): AsyncGenerator<Finding> {
  const snapshots = rows.filter((row) => 'backend' in row && 'volumeId' in row)
  const volumes = await resourcesById(
    context.database,
    'volume',
    snapshots.map(({ volumeId }) => volumeId),
  )
  for (const { id, volumeId } of snapshots) {
    if (volumes.has(volumeId)) continue
    yield {
      code: 'parent-missing',
      where: 'database',
      what: `snapshot ${id}`,
      explanation: `It belongs to volume ${volumeId}, which does not exist.`,
      next: `Keep what it holds in a new volume (volflow volume create --snapshot ${id}), then volflow snapshot delete ${id}`,
    }
  }
}
