interface Stored {
  readonly bytes: Buffer
  readonly version: string
}

/** Sees every change of the store as it happens. */
export interface StoreObserver {
  written(key: string, bytes: Buffer, before: Buffer | undefined): void
  deleted(key: string, before: Buffer): void
}

/** The server's side of a target: objects, and requests that take effect at one moment each. */
export class Store {
  readonly #objects = new Map<string, Stored>()
  #writes = 0
  observer: StoreObserver | undefined

  copy(): Store {
    const copy = new Store()
    // No version may come twice.
    copy.#writes = this.#writes
    for (const [key, stored] of this.#objects) copy.#objects.set(key, stored)
    return copy
  }

  putIfAbsent(key: string, bytes: Buffer): 'created' | 'exists' {
    if (this.#objects.has(key)) return 'exists'
    this.#write(key, bytes)
    return 'created'
  }

  replace(key: string, bytes: Buffer, version: string): { version: string } | 'conflict' {
    return this.#objects.get(key)?.version === version ? this.#write(key, bytes) : 'conflict'
  }

  get(key: string): Stored | undefined {
    const stored = this.#objects.get(key)
    return stored === undefined ? undefined : { ...stored, bytes: Buffer.from(stored.bytes) }
  }

  delete(key: string): void {
    const before = this.#objects.get(key)
    if (before === undefined) return
    this.#objects.delete(key)
    this.observer?.deleted(key, before.bytes)
  }

  /** What rots tells nobody, and has the version that it had. */
  tamper(key: string, bytes: Buffer | undefined): void {
    const stored = this.#objects.get(key)
    if (bytes === undefined) this.#objects.delete(key)
    else if (stored !== undefined) this.#objects.set(key, { ...stored, bytes })
  }

  /** In no useful order. */
  list(prefix: string): Map<string, number> {
    const found = new Map<string, number>()
    for (const [key, { bytes }] of this.#objects) if (key.startsWith(prefix)) found.set(key, bytes.length)
    return found
  }

  #write(key: string, bytes: Buffer): { version: string } {
    const before = this.#objects.get(key)?.bytes
    this.#writes += 1
    const version = `${this.#writes}`
    this.#objects.set(key, { bytes, version })
    this.observer?.written(key, bytes, before)
    return { version }
  }
}
