/** From the snapshots in a pool of backups to the rows. */
import { idsInWork, resourcesById } from '../../../database/audit.ts'
import { seriesOf } from '../../../domain/backup-series.ts'
import type { PooledBackup } from '../../../drivers/backups/pool.ts'
import { inBatches } from '../batches.ts'
import type { FsckContext, PoolPlace } from '../context.ts'
import type { Check, Finding } from '../finding.ts'

export function rbdTargetChecks(context: FsckContext): Check[] {
  return context.rbdTargets.map((place) => ({
    name: `target ${place.name}`,
    find: () => findIn(context, place),
  }))
}

async function* findIn(context: FsckContext, place: PoolPlace): AsyncGenerator<Finding> {
  let seen = 0
  for await (const found of inBatches(place.pool.list())) {
    const backups = found.filter((one): one is PooledBackup => 'backupId' in one)
    const ids = backups.map(({ backupId }) => backupId)
    const rows = await resourcesById(context.database, 'backup', ids)
    const inWork = await idsInWork(context.database, ids)
    for (const backup of backups) {
      const isKnown = rows.get(backup.backupId)?.target === place.name
      if (!isKnown && !inWork.has(backup.backupId) && context.isSettled(backup.madeAtMs))
        yield orphan(context, place, backup)
    }
    for (const one of found) {
      if ('backupId' in one) continue
      // The lock of whoever is about to write its first backup, or removes its last one.
      const series = seriesOf(place.name, one.volumeId)
      if (!(await idsInWork(context.database, [series])).has(series)) yield empty(place, one)
    }
    seen += found.length
    context.progress(`target ${place.name}`, seen)
  }
}

function orphan(context: FsckContext, { name, pool }: PoolPlace, backup: PooledBackup): Finding {
  const { backupId, volumeId, madeAtMs } = backup
  const finding = {
    code: 'record-orphaned',
    where: `target ${name}`,
    what: `backup ${backupId}`,
    explanation: `Its snapshot is there, in the image of volume ${volumeId}, and the database knows nothing of it.`,
    next: `Kept. volflow target import ${name} enters it; --delete-orphans deletes it when it has been so for a day.`,
  } as const
  if (!context.isOldOrphan(madeAtMs)) return finding
  return {
    ...finding,
    mend: { needs: 'delete-orphans', run: () => pool.deleteBackup({ backupId, volumeId }) },
  }
}

function empty({ name }: PoolPlace, { empty: image }: { empty: string }): Finding {
  return {
    code: 'leftover-temporary',
    where: `target ${name}`,
    what: `image ${image}`,
    explanation: 'It was made for a first backup that is not there. Nobody reads it.',
    next: 'Kept. The next backup of its volume uses it; or delete it with rbd rm.',
  }
}
