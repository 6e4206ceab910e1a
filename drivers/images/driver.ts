import type { Readable } from 'node:stream'
import type { OpenDevice } from '../../block-io/device.ts'
import type { Inventory } from '../inventory.ts'

export type DiskFormat = 'raw' | 'qcow2'

/** A snapshot in a cluster. A plain value. */
export interface CloneSource {
  readonly clusterId: string
  readonly pool: string
  readonly namespace: string | undefined
  readonly image: string
  readonly snapshot: string
  readonly sizeBytes: number
}

export interface StageProgress {
  /** Called after each piece was written; total bytes so far. */
  onBytes?: (bytesTotal: number) => void
  /** More bytes than this: `invalid`, and the stage is removed. */
  sizeMaxBytes: number
  signal: AbortSignal
}

export interface StagedBytes {
  readonly sizeBytes: number
  /** Of the bytes as they were streamed, lower-case hex. */
  readonly md5: string
  readonly sha512: string
}

/** The disk in a qcow2 image as a raw one, made once beside it, so that every volume of it can be a clone. All may be repeated. */
export interface DerivedImages {
  /** Undefined: none has been made yet. */
  cloneSource(imageId: string): Promise<CloneSource | undefined>
  /** A disk of zeroes for the caller alone to fill, or what an earlier call has of it. */
  openDraft(draft: Draft & { sizeBytes: number }): Promise<OpenDevice>
  /** It is what volumes are cloned from, from now on; or it is not needed, as somebody else was first. */
  publish(draft: Draft): Promise<void>
  discard(draft: Draft): Promise<void>
}

export interface Draft {
  readonly imageId: string
  /** Whose it is. */
  readonly draftId: string
}

/**
 * A place where images are kept, byte for byte as they were uploaded. Bytes arrive in a stage and become an image in one step.
 * Every method may be repeated after a crash. All failures are DriverError.
 */
export interface ImageStore {
  readonly kind: string
  /** Streams into the image's stage, hashing on the way; replaces an earlier stage; on failure nothing stays behind. */
  writeStage(imageId: string, source: Readable, progress: StageProgress): Promise<StagedBytes>
  /**
   * As `writeStage`, of a file that a program writes: `build` fills the file at this path, and rejects when it could not. Then it
   * is flushed and hashed; `onBytes` reports the hashing.
   */
  buildStage(
    imageId: string,
    build: (path: string) => Promise<void>,
    progress: Omit<StageProgress, 'sizeMaxBytes'>,
  ): Promise<StagedBytes>
  /** The staged bytes, for inspection. Missing: `notFound`. */
  openStage(imageId: string, format: DiskFormat): Promise<OpenDevice>
  /** Stage becomes image (flushed, atomic). Already an image and no stage: fine. */
  publish(imageId: string): Promise<void>
  discardStage(imageId: string): Promise<void>
  deleteImage(imageId: string): Promise<void>
  /** `sizeBytes` of the device is the file's size; for qcow2 the device is marked untrusted. */
  openImage(imageId: string, format: DiskFormat): Promise<OpenDevice>
  /** The bytes as uploaded. `start` inclusive, `end` exclusive. */
  readImage(imageId: string, range?: { start: number; end: number }): Promise<Readable>
  /** Only where an image is a file, byte for byte: its path. Missing: `notFound`. */
  imageFile?(imageId: string): Promise<string>
  /** Only where something must stay for a while: removes what earlier calls had to leave because others still read from it. */
  sweep?(): Promise<void>
  /** Only where a backend might clone a raw image instead of copying it. Missing: `notFound`. */
  cloneSource?(imageId: string): Promise<CloneSource>
  /** Only where a backend might clone. Deleted with its image. */
  readonly derived?: DerivedImages
  /** For fsck: everything kept here, with what is needed to compare it with the database. */
  readonly inventory: Inventory
  list(): Promise<{ imageIds: string[]; stageIds: string[] }>
}
