/** What fsck needs of a place where volumes or images are kept: to see what is there, one thing at a time, and to clear it away. */

export interface StoredKey {
  /** `temporary`: something that was being made or removed; nothing is ever read from it. */
  readonly kind: 'volume' | 'snapshot' | 'image' | 'stage' | 'temporary'
  /** Of the resource; of something temporary, the place's own name for it. */
  readonly id: string
  /** A snapshot's volume. */
  readonly volumeId?: string
}

export interface StoredThing extends StoredKey {
  /** Ids of the resources it is about: an operation that holds one of them explains it. */
  readonly owners: readonly string[]
  readonly changedAtMs: number
  /** What its users see; left out for what has no such size, or is broken. */
  readonly sizeBytes?: number
  /** Why it cannot be used, in a sentence's second half. */
  readonly problem?: string
}

/** All failures are DriverError. */
export interface Inventory {
  /** Each thing once. What comes or goes meanwhile may or may not be among them. */
  list(): AsyncIterable<StoredThing>
  find(key: StoredKey): Promise<StoredThing | undefined>
  /** Out of the way, where a person finds it again; nothing is deleted. Missing: fine. */
  setAside(key: StoredKey): Promise<void>
  /** Removes something temporary. Missing: fine. */
  removeTemporary(id: string): Promise<void>
}
