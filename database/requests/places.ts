import type { CinderStoreKind } from '../../domain/cinder-names.ts'

/** Names of the configured places that a request may leave out. */
export interface PlaceNames {
  readonly backends: readonly string[]
  readonly stores: readonly string[]
  readonly targets: readonly string[]
  /** Backends where the snapshot of a volume's newest backup is kept for the next one. */
  readonly keepingBackends?: readonly string[]
  /** Those in Cinder's format. `container` is the bucket; in folders each backup has its own. */
  readonly cinderTargets: Readonly<Record<string, { driver: CinderStoreKind; container: string }>>
}
