/** Names of the configured places that a request may leave out. */
export interface PlaceNames {
  readonly backends: readonly string[]
  readonly stores: readonly string[]
  readonly targets: readonly string[]
}
