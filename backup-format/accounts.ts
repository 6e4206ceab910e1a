/** What a collection did, to the object and to the byte. Sizes are those of the stored objects. */
export interface Tally {
  readonly objects: number
  readonly bytes: number
}

export interface CollectAccounts {
  /** No backup needed it when the collection looked. */
  readonly condemned: Tally
  /** Of this, needed after all by a backup that was committed meanwhile. */
  readonly rescued: Tally
  /** ... still under the target's own lock: a later collection tries again. */
  readonly locked: Tally
  /** The rest. */
  readonly deleted: Tally
}

export const NOTHING: Tally = { objects: 0, bytes: 0 }
export const NO_ACCOUNTS: CollectAccounts = {
  condemned: NOTHING,
  rescued: NOTHING,
  locked: NOTHING,
  deleted: NOTHING,
}

/** What has no size is no object: a marker of one that is lost. */
export function tallyOf(blobs: Iterable<{ readonly sizeBytes: number }>): Tally {
  let objects = 0
  let bytes = 0
  for (const { sizeBytes } of blobs) {
    if (sizeBytes > 0) objects += 1
    bytes += sizeBytes
  }
  return { objects, bytes }
}

export function addTallies(...tallies: readonly Tally[]): Tally {
  return tallies.reduce((sum, { objects, bytes }) => ({
    objects: sum.objects + objects,
    bytes: sum.bytes + bytes,
  }))
}

export function addAccounts(a: CollectAccounts, b: CollectAccounts): CollectAccounts {
  return {
    condemned: addTallies(a.condemned, b.condemned),
    rescued: addTallies(a.rescued, b.rescued),
    // What is still locked was condemned again.
    locked: addTallies(a.locked, b.locked),
    deleted: addTallies(a.deleted, b.deleted),
  }
}
