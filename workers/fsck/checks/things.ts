/** From the bytes to the rows: everything in a backend or store belongs to somebody. */
import { idsInWork, imagesCopiedTo, resourcesById } from '../../../database/audit.ts'
import type { Database } from '../../../database/open.ts'
import type { StoredThing } from '../../../drivers/inventory.ts'
import { inBatches } from '../batches.ts'
import type { FsckContext, InventoryPlace } from '../context.ts'
import type { Check, Finding } from '../finding.ts'

export function thingChecks(context: FsckContext): Check[] {
  return context.inventories.map((place) => ({
    name: `${place.type} ${place.name}`,
    find: () => findIn(context, place),
  }))
}

async function* findIn(context: FsckContext, place: InventoryPlace): AsyncGenerator<Finding> {
  let seen = 0
  for await (const things of inBatches(place.inventory.list())) {
    const settled = things.filter(({ changedAtMs }) => context.isSettled(changedAtMs))
    const inWork = await idsInWork(
      context.database,
      settled.flatMap(({ owners }) => owners),
    )
    const known = await knownHere(context.database, place, settled)
    for (const thing of settled) {
      if (known.has(thing) || thing.owners.some((id) => inWork.has(id))) continue
      yield thing.kind === 'temporary' ? temporary(place, thing) : orphan(context, place, thing)
    }
    seen += things.length
    context.progress(`${place.type} ${place.name}`, seen)
  }
}

/** Things with a row that says that they are in this place. */
async function knownHere(
  database: Database,
  place: InventoryPlace,
  things: readonly StoredThing[],
): Promise<Set<StoredThing>> {
  const known = new Set<StoredThing>()
  for (const type of ['volume', 'snapshot', 'image'] as const) {
    const ofType = things.filter(({ kind }) => kind === type)
    const rows = await resourcesById(
      database,
      type,
      ofType.map(({ id }) => id),
    )
    const copies = type === 'image' ? await imagesCopiedTo(database, place.name, [...rows.keys()]) : undefined
    for (const thing of ofType) {
      const row = rows.get(thing.id)
      if (copies?.has(thing.id) === true) known.add(thing)
      if (row !== undefined && ('backend' in row ? row.backend : row.store) === place.name) known.add(thing)
    }
  }
  return known
}

function temporary(place: InventoryPlace, { id }: StoredThing): Finding {
  return {
    code: 'leftover-temporary',
    where: `${place.type} ${place.name}`,
    what: id,
    explanation: 'Something that was being made or removed when its process died. Nothing reads it.',
    next: 'It is removed.',
    mend: { needs: 'repair', run: () => place.inventory.removeTemporary(id) },
  }
}

function orphan(context: FsckContext, place: InventoryPlace, thing: StoredThing): Finding {
  const { kind, id, changedAtMs } = thing
  const aside = `Kept. --delete-orphans moves what has been so for a day into the folder aside/ of ${place.type} ${place.name}.`
  const finding = {
    code: `${kind as 'volume' | 'snapshot' | 'image' | 'stage'}-orphaned`,
    where: `${place.type} ${place.name}`,
    what: `${kind} ${id}`,
    explanation: `Its bytes are here, last changed ${new Date(changedAtMs).toISOString()}, and the database knows nothing of it.`,
    next: aside,
  } as const
  if (!context.isOldOrphan(changedAtMs)) return finding
  return { ...finding, mend: { needs: 'delete-orphans', run: () => place.inventory.setAside(thing) } }
}
