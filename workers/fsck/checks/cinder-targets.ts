/**
 * From the objects of a target in Cinder's format to the backups that they belong to. Cinder may be writing there at any time, and what it
 * wrote needs no row: only what no backup can be made of is a finding.
 */
import { readBackup } from '../../../backup-format/cinder/backup.ts'
import type { CinderStore } from '../../../backup-format/cinder/store.ts'
import { idsInWork } from '../../../database/audit.ts'
import {
  type BackupLocation,
  beginningOf,
  metadataKey,
  ownerOf,
  sha256Key,
  stagedId,
} from '../../../domain/cinder-names.ts'
import { DriverError } from '../../../domain/errors.ts'
import type { CinderPlace, FsckContext } from '../context.ts'
import type { Check, Finding } from '../finding.ts'
import { findLeftovers } from './targets.ts'

export function cinderTargetChecks(context: FsckContext): Check[] {
  return context.cinderTargets.flatMap((place) => {
    const name = `target ${place.name}`
    return [
      { name, find: () => findLeftovers(place.name, place.store.leftovers) },
      { name, find: () => findIn(context, place) },
    ]
  })
}

/** Keys come grouped by backup only from a bucket: of each backup, all keys are listed again. */
async function* findIn(context: FsckContext, place: CinderPlace): AsyncGenerator<Finding> {
  const { store, name } = place
  const owners = new Map<string, BackupLocation>()
  for await (const { key } of store.list('')) {
    const staged = stagedId(key)
    if (staged !== undefined && !(await idsInWork(context.database, [staged])).has(staged))
      yield unfinished(name, staged, 'Its upload was finished, and nobody commits it.')
    const owner = ownerOf(store.kind, key)
    if (owner !== undefined) owners.set(`${owner.folder}${owner.prefix}`, owner)
  }
  let seen = 0
  for (const location of owners.values()) {
    yield* findOf(context, place, location)
    seen += 1
    context.progress(`target ${name}`, seen)
  }
}

async function* findOf(
  context: FsckContext,
  { name, store }: CinderPlace,
  location: BackupLocation,
): AsyncGenerator<Finding> {
  const { backupId, folder, prefix } = location
  const metadata = await readUnlessDamaged(store, location)
  // A row says more about metadata that cannot be read.
  if (metadata === 'damaged') return
  const ids = [backupId, ...(metadata?.parentId == null ? [] : [metadata.parentId])]
  // Whoever deletes the parent is copying objects of it to this one.
  if ((await idsInWork(context.database, ids)).size > 0) return
  if (metadata === undefined) {
    // Metadata come last: Cinder may be at it, for as long as a volume takes.
    if (context.isOldOrphan(beginningOf(location)))
      yield unfinished(name, backupId, 'There are objects of it, and no metadata.')
    return
  }
  const named = new Set([
    metadataKey(location),
    sha256Key(location),
    ...metadata.objects.map((object) => `${folder}${object.name}`),
  ])
  for await (const { key } of store.list(`${folder}${prefix}`)) {
    if (named.has(key)) continue
    yield {
      code: 'object-unnamed',
      where: `target ${name}`,
      what: `object ${key}`,
      explanation: `It lies among the objects of backup ${backupId}, whose metadata do not name it. Cinder refuses to restore such a backup.`,
      next: 'Kept. --delete-orphans deletes it.',
      mend: { needs: 'delete-orphans', run: () => store.delete(key) },
    }
  }
}

function unfinished(target: string, backupId: string, explanation: string): Finding {
  return {
    code: 'object-orphaned',
    where: `target ${target}`,
    what: `backup ${backupId}`,
    explanation: `${explanation} Nobody can restore it; it takes room.`,
    next: 'Kept. Delete its objects when you know that no Cinder is writing them.',
  }
}

async function readUnlessDamaged(store: CinderStore, location: BackupLocation) {
  try {
    return (await readBackup(store, location)).metadata
  } catch (error) {
    if (error instanceof DriverError && error.kind === 'notFound') return undefined
    if (error instanceof DriverError && error.kind === 'corrupt') return 'damaged'
    throw error
  }
}
