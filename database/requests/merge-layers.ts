import { randomUUID } from 'node:crypto'
import { LIMITS } from '../../domain/limits.ts'
import { PRIORITY } from '../../domain/operations.ts'
import type { Database } from '../open.ts'
import { acceptOperation } from '../operations/accept.ts'
import { dueVolumes, forgetMergeable } from '../operations/layers.ts'
import type { Tx } from '../resources.ts'

/** Accepts the merge of layers for one volume of the backend that is due and that nobody uses, unless one is under way there. */
export async function requestMerge(database: Database, backend: string, nowMs: number): Promise<void> {
  const due = await dueVolumes(database, backend, nowMs)
  if (due.length === 0) return
  await database.transaction().execute(async (tx) => {
    if (await isMerging(tx, backend)) return
    for (const volumeId of due) {
      if (await acceptMerge(tx, volumeId, backend)) return
    }
  })
}

async function isMerging(tx: Tx, backend: string): Promise<boolean> {
  const other = await tx
    .selectFrom('operations')
    .select('id')
    .where('kind', '=', 'merge-layers')
    .where('backend', '=', backend)
    .where('state', 'in', ['pending', 'running'])
    .executeTakeFirst()
  return other !== undefined
}

/** False: there is no such volume, or somebody uses it; whoever that is makes it due again. */
async function acceptMerge(tx: Tx, volumeId: string, backend: string): Promise<boolean> {
  const volume = await tx.selectFrom('volumes').selectAll().where('id', '=', volumeId).executeTakeFirst()
  const holder = await tx
    .selectFrom('operationResources')
    .select('operationId')
    .where('resourceId', '=', volumeId)
    .executeTakeFirst()
  if (volume !== undefined && (holder !== undefined || volume.status !== 'available')) {
    const dueAtMs = Date.now() + LIMITS.mergeIdleMs
    await tx.updateTable('mergeableVolumes').set({ dueAtMs }).where('volumeId', '=', volumeId).execute()
    return false
  }
  await forgetMergeable(tx, [volumeId])
  if (volume === undefined) return false
  await acceptOperation(tx, {
    actor: { projectId: volume.projectId, userId: volume.userId, requestId: `req-${randomUUID()}` },
    kind: 'merge-layers',
    spec: { volumeId, backend },
    resources: { volume: volumeId },
    primary: 'volume',
    priority: PRIORITY.background,
  })
  return true
}
