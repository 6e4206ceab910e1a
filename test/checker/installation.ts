/** What the checker is told about an installation. It learns everything else by looking. */

/** A pool, or a namespace in it, that is used by this installation alone. */
export interface RbdPlaceToCheck {
  readonly confFile: string
  readonly keyringFile: string
  readonly user: string
  readonly pool: string
  readonly namespace?: string | undefined
}

export interface DirectoryPlace {
  readonly kind: 'directory'
  readonly path: string
}

export interface S3Place {
  readonly kind: 's3'
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  /** In front of every key, with its slash; empty: none. */
  readonly prefix: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export type TargetPlace = DirectoryPlace | S3Place

export interface CheckedInstallation {
  readonly dataFolder: string
  /** Left out: the SQLite file in the data folder. The URL has no password. */
  readonly database?: { readonly url: string; readonly password: string }
  /** Name -> directory of a file backend. */
  readonly backends: Readonly<Record<string, string>>
  readonly rbdBackends?: Readonly<Record<string, RbdPlaceToCheck>>
  /** Name -> directory of a file store. */
  readonly stores: Readonly<Record<string, string>>
  readonly rbdStores?: Readonly<Record<string, RbdPlaceToCheck>>
  readonly targets: Readonly<Record<string, TargetPlace>>
  /** In Cinder's format. */
  readonly cinderTargets?: Readonly<Record<string, TargetPlace>>
  /** Targets with snapshots: each in a pool, or a namespace in it, of its own. */
  readonly rbdTargets?: Readonly<Record<string, RbdPlaceToCheck>>
  /** 64 hex digits. */
  readonly backupKeyFile: string
  /** Temporary folder that only this installation used (its TMPDIR). */
  readonly temporaryFolder?: string
  /** `127.0.0.1:PORT`; given where the server runs. */
  readonly temporal?: { readonly address: string; readonly namespace: string }
  /** Process id of the running `volflow up`; left out: the installation is stopped, and no process of it may exist. */
  readonly runningPid?: number
  /** A collection ran after the last backup was deleted: what no backup needs must be gone. */
  readonly collected?: boolean
  /** What -> value that must show up nowhere, besides the master key and the credentials of targets. */
  readonly secrets?: Readonly<Record<string, string>>
  /** Files in the data folder where secrets belong. */
  readonly secretFiles?: readonly string[]
}
