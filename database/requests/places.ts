/** Names of the configured places that a request may leave out. */
export interface PlaceNames {
  readonly backends: readonly string[]
  readonly stores: readonly string[]
  readonly targets: readonly string[]
  /** Backends where the snapshot of a volume's newest backup is kept for the next one. */
  readonly keepingBackends?: readonly string[]
}
