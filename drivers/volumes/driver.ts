import type { Readable } from 'node:stream'
import type { ConnectionInfo } from '../../domain/connections.ts'
import type { Blockdev, ByteRange, OpenDevice } from '../../block-io/device.ts'
import type { CloneSource } from '../images/driver.ts'
import type { Inventory } from '../inventory.ts'

export interface VolumeCapabilities {
  /** `cloneSnapshot` exists and costs no copying of data. */
  readonly clone: boolean
  /** A clone is independent of its snapshot at once (reflink): nothing to flatten. */
  readonly reflink: boolean
  /** `changedRanges` usually knows: worth keeping a snapshot for. */
  readonly changedRanges: boolean
  /** `createSnapshot` works while a guest writes the volume. A driver that has to ask the guest for it is told its name. */
  readonly onlineSnapshot: boolean
  /** `extendVolume` works while a guest has the volume open, and the guest notices. */
  readonly onlineExtend: boolean
}

/** The guest to which the volume is attached; left out: nobody has it open. */
export interface InUse {
  readonly guest?: string
}

/** Ranges in no order, which may overlap, or why nobody can say. */
export type ChangedRanges = { readonly ranges: readonly ByteRange[] } | { readonly unknown: string }

/** How a new volume came by its bytes, in the operation's record. */
export type ClonePath = 'reflink' | 'qcow2-layer' | 'rbd-clone'

export interface SnapshotRef {
  readonly volumeId: string
  readonly snapshotId: string
}

export interface ChangedRequest {
  readonly volumeId: string
  readonly fromSnapshotId: string
  readonly toSnapshotId: string
  readonly signal?: AbortSignal
}

export interface CompactRequest {
  readonly volumeId: string
  readonly signal: AbortSignal
  /** Of the merge that is under way. */
  readonly onProgress?: (progress: { doneBytes: number; totalBytes: number }) => void
}

export interface FlattenRequest {
  readonly volumeId: string
  readonly signal: AbortSignal
  /** How much of the volume is done with. Never less than before. */
  readonly onProgress: (doneBytes: number) => void
  /** As above, of what will not be lost. */
  readonly onCheckpoint: (bytes: number) => Promise<void>
}

/** An image, or a snapshot of one. */
export type CopySource = Omit<CloneSource, 'snapshot'> & { readonly snapshot?: string | undefined }

export interface ImageCopy {
  readonly source: CopySource
  readonly newVolumeId: string
  readonly sizeBytes: number
  readonly signal: AbortSignal
  /** How much of the image is done with. Never less than before. */
  readonly onProgress: (doneBytes: number) => void
}

/** In what a snapshot differs from an earlier one, or from nothing, in the words of its cluster. */
export interface DiffExport {
  readonly clusterId: string
  readonly sizeBytes: number
  /** Why it is everything, although an earlier snapshot was named. */
  readonly unknown?: string
  /** `onPercent`: of the volume, also while nothing is found that differs. */
  start(onPercent: (percent: number) => void): RunningExport
}

export interface RunningExport {
  readonly stream: Readable
  /** Rejects where it failed; ask it before an error of `stream` is believed. */
  readonly ended: Promise<void>
  readonly kill: () => void
}

/**
 * A place where volumes are kept. Every method may be called again after a crash at any point of an earlier call, with the same
 * arguments, and then ends in the same state. All failures are DriverError. Ids are UUIDs, checked by the caller's caller and
 * again here: they become file names. Methods that change a volume are called one at a time for it (locks are rows); snapshots of one
 * volume may be made at the same time.
 */
export interface VolumeDriver {
  readonly kind: string
  readonly capabilities: VolumeCapabilities
  /** All zeroes. Exists already with the same size: fine; with another size: `invalid`. */
  createVolume(volume: { volumeId: string; sizeBytes: number }): Promise<void>
  /**
   * What somebody else put into the place, and called `sourceName` there, is the volume from then on. Done before: fine. Missing:
   * `notFound`; nothing that a volume can be: `invalid`; somebody writes it: `inUse`.
   */
  manageVolume(volume: { volumeId: string; sourceName: string }): Promise<{ sizeBytes: number }>
  /**
   * The opposite: the bytes stay, under the name that is answered, and snapshots that nobody sees go. Missing: fine. Its bytes are shared
   * with others: `unsupported`; somebody writes it: `inUse`.
   */
  unmanageVolume(volume: { volumeId: string }): Promise<{ sourceName: string }>
  /** Removes the volume and everything that only it needed. Missing: fine; somebody writes it: `inUse`. */
  deleteVolume(volume: { volumeId: string }): Promise<void>
  /**
   * The volume's bytes as they are now, immutable. Exists already: fine. Source missing: `notFound`. Somebody writes it: with
   * `guest` and `onlineSnapshot`, what the guest would find after a power cut at some moment of this call; else `inUse`.
   */
  createSnapshot(snapshot: SnapshotRef & InUse): Promise<void>
  /** Missing: fine. Clones of the snapshot keep working. */
  deleteSnapshot(snapshot: SnapshotRef): Promise<void>
  /**
   * A writable volume with the snapshot's bytes, zeroes up to `sizeBytes` (at least the snapshot's size, else `invalid`). So many clones of
   * clones that reads would be slow: `unsupported`.
   */
  cloneSnapshot(clone: SnapshotRef & { newVolumeId: string; sizeBytes: number }): Promise<{ path: ClonePath }>
  /** Only where images may be beside volumes: `cloneImage` could clone this one. */
  reachesImage?(source: CloneSource): Promise<boolean>
  /**
   * Only where images may be beside volumes: as `cloneSnapshot`, of an image. Undefined: the image is somewhere else, or may not be read from
   * here.
   */
  cloneImage?(clone: {
    source: CloneSource
    newVolumeId: string
    sizeBytes: number
  }): Promise<{ path: ClonePath } | undefined>
  /**
   * As `cloneImage`, with bytes of its own, and in place of a volume that nobody has written: the way that is fastest here, and cannot be held
   * up. Killed it starts over. False: the image is somewhere else, or may not be read from here.
   */
  copyImage?(copy: ImageCopy): Promise<boolean>
  /**
   * Zeroes behind what there is. Has the size already: fine; is larger: `invalid`. Missing: `notFound`. Somebody writes it: `inUse`,
   * unless it is `guest` and the driver has `onlineExtend`.
   */
  extendVolume(volume: { volumeId: string; sizeBytes: number } & InUse): Promise<void>
  /**
   * What a guest's qemu opens, to write the volume from now on; asked for again before each start of the guest. Repeatable, also
   * while that guest has it open. Anybody else has it open: `inUse`. `connectionInfo` is what Cinder's driver of this kind tells a
   * compute service, where there is one.
   */
  attachVolume(
    volume: { volumeId: string } & InUse,
  ): Promise<{ blockdev: Blockdev; connectionInfo?: ConnectionInfo }>
  /** Somebody still has it open for writing: `inUse`. */
  detachVolume(volume: { volumeId: string }): Promise<void>
  /**
   * Gives the volume the snapshot's bytes, zeroes up to `sizeBytes` (the volume's size), in one step: killed at any point, it reads
   * as before or as the snapshot. Either missing: `notFound`; somebody writes the volume: `inUse`.
   */
  revertVolume(revert: SnapshotRef & { sizeBytes: number }): Promise<{ path: ClonePath }>
  /**
   * The volume gets the bytes of another one of the same size, `contentId`, which is gone afterwards; the old bytes go, and the
   * volume's snapshots and their clones stay as they are. No volume `contentId`, but `volumeId` is there: done before, fine.
   */
  replaceVolume(volume: { volumeId: string; contentId: string }): Promise<void>
  /** `write` opens the volume's own bytes for the caller alone; `read` may be shared. Missing: `notFound`. */
  openVolume(volume: { volumeId: string; access: 'read' | 'write' }): Promise<OpenDevice>
  openSnapshot(snapshot: SnapshotRef): Promise<OpenDevice>
  /**
   * Everything in which the second snapshot differs from the first, whatever happened to the volume between them: every byte outside
   * of the ranges is the same in both, and none lies behind the end of the first. May say too much, never too little. Either
   * snapshot missing: `notFound`.
   */
  changedRanges(snapshots: ChangedRequest): Promise<ChangedRanges>
  /** Only where a target may be beside the backend that takes this. Snapshot missing: `notFound`. */
  exportDiff?(snapshot: SnapshotRef & { fromSnapshotId: string | null }): Promise<DiffExport>
  /**
   * Only where snapshots make reads slower: merges what deleted snapshots left. Takes as long as copying that; call it in the
   * background, without writers of the volume, or with the guest, whose qemu then does it. `busy` when a process has one of the layers open, or another one merges in this
   * backend. Missing: fine.
   */
  compactVolume?(volume: CompactRequest & InUse): Promise<{ mergedLayers: number }>
  /**
   * Only where a volume may need others that can be told from it: puts into it whatever it still reads from them. Stopped at any point
   * it reads as before, and the next call goes on. It needed none: false. Somebody writes it: `inUse`, unless it is `guest`.
   */
  flattenVolume?(volume: FlattenRequest & InUse): Promise<{ flattened: boolean }>
  /** Only where something must stay for a while: removes what earlier calls had to leave because others still read from it. */
  sweep?(): Promise<void>
  /** For fsck: everything kept here, with what is needed to compare it with the database. */
  readonly inventory: Inventory
  /** Ids of everything kept here, in memory: for tests. */
  list(): Promise<{ volumeIds: string[]; snapshots: SnapshotRef[] }>
  capacity(): Promise<{ totalBytes: number; freeBytes: number }>
}
