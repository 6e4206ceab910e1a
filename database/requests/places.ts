import type { CinderStoreKind } from '../../domain/cinder-names.ts'

/** What a backup may be made in that is ours, the first one without a wish. */
export function ownTargets({ targets, rbdTargets = [] }: PlaceNames): string[] {
  return [...targets, ...rbdTargets]
}

/** Names of the configured places that a request may leave out. */
export interface PlaceNames {
  readonly backends: readonly string[]
  readonly stores: readonly string[]
  readonly targets: readonly string[]
  /** Backends where the snapshot of a volume's newest backup is kept for the next one. */
  readonly keepingBackends?: readonly string[]
  /** Backends that ask the guest that has a volume open. */
  readonly guestBackends?: readonly string[]
  /** Backend -> how many times its size may be promised to volumes, which only take what is written to them. Default: once. */
  readonly overcommitRatios?: Readonly<Record<string, number>>
  /** Backend -> what Cinder's scheduler and clients are told of it. */
  readonly capabilities?: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>
  /** Those in Cinder's format. `container` is the bucket; in folders each backup has its own. */
  readonly cinderTargets: Readonly<Record<string, { driver: CinderStoreKind; container: string }>>
  /** Those that are pools of a cluster. */
  readonly rbdTargets?: readonly string[]
  /** Whose volumes may be backed up there. */
  readonly rbdBackends?: readonly string[]
}
