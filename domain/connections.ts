/** How a compute service connects to a volume: Cinder's `connection_info`, without what the API adds for every driver. */
export interface ConnectionInfo {
  /** os-brick's name of the kind: `rbd`. */
  readonly driverVolumeType: string
  readonly data: Readonly<Record<string, unknown>>
}
