export interface StoredObject {
  readonly bytes: Buffer
  /** Opaque version for `replace`; changes with every write. */
  readonly version: string
}

/**
 * The object store under a backup repository: what S3 with conditional writes, or a directory, can do. Keys are relative paths of
 * [a-z0-9._-] segments separated by `/`. Every method may be repeated; reads and lists see every completed write. Failures are
 * DriverError (`transient`, `full`, `invalid`, …).
 */
export interface BackupTarget {
  readonly kind: string
  /** Atomic and durable: of many racers exactly one gets `created`. The bytes are never half visible. */
  putIfAbsent(
    key: string,
    bytes: Uint8Array,
    options?: { signal?: AbortSignal },
  ): Promise<'created' | 'exists'>
  /** Compare and swap: writes only while the object still has `version`. Of many racers one gets a version, the rest `conflict`. */
  replace(key: string, bytes: Uint8Array, version: string): Promise<{ version: string } | 'conflict'>
  /**
   * Missing: undefined. `into` is for an object that nobody replaces: its bytes come in this buffer if they fit, and the version is
   * not to be relied on.
   */
  get(key: string, options?: { signal?: AbortSignal; into?: Buffer }): Promise<StoredObject | undefined>
  /** All keys that begin with `prefix`, in any order, each once. */
  list(prefix: string): AsyncIterable<{ key: string; sizeBytes: number }>
  /** Missing: fine. */
  delete(key: string): Promise<void>
  /**
   * Deletes any number of objects for good; missing: fine. What the target keeps until a later date, whoever asks (object lock), is
   * `locked` and stays readable.
   */
  deleteMany(keys: readonly string[], options?: { signal?: AbortSignal }): Promise<{ locked: string[] }>
  /** Where writers can die half-way: what those left who are gone. No object is among it. */
  readonly leftovers?: { list(): Promise<string[]>; remove(): Promise<void> }
  close(): Promise<void>
}

/** A plain value from which a worker thread builds its own target (drivers/backups/registry.ts). Secrets stay in process memory. */
export type TargetSpec = { readonly compressionLevel?: number | undefined } & (
  | { readonly driver: 'directory'; readonly path: string }
  | {
      readonly driver: 's3'
      readonly endpoint: string
      readonly region: string
      readonly bucket: string
      readonly prefix: string
      readonly accessKeyId: string
      readonly secretAccessKey: string
    }
)
