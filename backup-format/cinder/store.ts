import type { Readable } from 'node:stream'
import type { CinderStoreKind } from '../../domain/cinder-names.ts'
import type { BackupTarget, TargetSpec } from '../target.ts'

export interface StoreListing {
  readonly key: string
  readonly sizeBytes: number
}

/** What is put: its bytes, or for what is too large for memory a stream that can be opened again for another try. */
export type StoreBody = Uint8Array | { readonly sizeBytes: number; open(): Readable }

/**
 * Where Cinder keeps its backups: a bucket, or a folder (which may be on a network share). Unlike a repository it holds names that
 * Cinder chose, and objects that are written again. Failures are DriverError.
 */
export interface CinderStore {
  readonly kind: CinderStoreKind
  /** All keys that begin with `prefix`, in any order, each once. */
  list(prefix: string): AsyncIterable<StoreListing>
  /**
   * Missing: undefined. `range` is [from, to), cut off at the end of the object; beyond the end: an empty stream. Whoever gets the
   * stream reads it to its end or destroys it.
   */
  get(key: string, options?: ReadOptions): Promise<Readable | undefined>
  /** Replaces what is there, atomically and durably. */
  put(key: string, body: StoreBody, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** A second object with the same bytes, which need not pass through us. The first one missing: `notFound`. */
  copy(from: string, to: string): Promise<void>
  /** Missing: fine. */
  delete(key: string): Promise<void>
  /** As a repository's target has them. */
  readonly leftovers?: BackupTarget['leftovers']
  close(): Promise<void>
}

export interface ReadOptions {
  readonly range?: readonly [from: number, to: number]
  readonly signal?: AbortSignal
}

/** How a worker thread gets a store of its own: `storeFactoryUrl` is a module that exports `openCinderStore(spec)`. */
export interface ThreadStore {
  readonly storeFactoryUrl: string
  readonly storeSpec: TargetSpec
}

export async function openThreadStore({ storeFactoryUrl, storeSpec }: ThreadStore): Promise<CinderStore> {
  const factory: { openCinderStore(spec: TargetSpec): CinderStore } = await import(storeFactoryUrl)
  return factory.openCinderStore(storeSpec)
}
