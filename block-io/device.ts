/** qemu's blockdev options: nested, with every driver and format named, so that nothing is ever probed. */
export interface Blockdev {
  readonly driver: string
  readonly [option: string]: BlockdevOption
}

export type BlockdevOption = string | number | boolean | null | { readonly [option: string]: BlockdevOption }

/** Another node, as opposed to its name. */
export function isNode(option: BlockdevOption | undefined): option is Blockdev {
  return typeof option === 'object' && option !== null && typeof option['driver'] === 'string'
}

/**
 * Something with bytes at offsets, as block-io and qemu understand it. A plain, structured-cloneable value: it can be handed to a
 * worker thread.
 */
export interface BlockDevice {
  readonly sizeBytes: number
  readonly blockdev: Blockdev
  /** Path of a file that holds exactly these bytes (raw, no header): read and written directly. */
  readonly plainFile?: string
  /** A server that serves these bytes already: read and written there, and not through another one. */
  readonly served?: NbdSpec
  /** Its container format was written by a user: opened only by a confined process (see confined-export.ts). */
  readonly untrusted?: boolean
}

/** A device that must be closed: closing ends any process that serves it. Closing twice is harmless. */
export interface OpenDevice extends BlockDevice {
  close(): Promise<void>
}

/** How a worker thread reaches the bytes, to read or to write them: a plain value. */
export type DeviceSpec =
  | { readonly kind: 'file'; readonly path: string; readonly sizeBytes: number }
  | NbdSpec

export interface NbdSpec {
  readonly kind: 'nbd'
  readonly socketPath: string
  readonly exportName: string
  readonly sizeBytes: number
}

export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/** `data`: must be read. `zero`: reads as zeroes and need not be read. */
export interface Extent extends ByteRange {
  readonly kind: 'data' | 'zero'
}

export interface BlockReader {
  readonly sizeBytes: number
  /** Fills the whole buffer from `offset`; throws DriverError when fewer bytes exist. */
  read(buffer: Uint8Array, offset: number): Promise<void>
  /** Contiguous extents that cover exactly [offset, offset + length), as cheaply as the source can tell. */
  extents(offset: number, length: number): Promise<Extent[]>
  close(): Promise<void>
}

export interface BlockWriter {
  readonly sizeBytes: number
  write(buffer: Uint8Array, offset: number): Promise<void>
  /** Makes the range read as zeroes (a hole where possible; never a discard that could leave old bytes). */
  writeZeroes(offset: number, length: number): Promise<void>
  /** After this the bytes written so far survive a power cut. */
  flush(): Promise<void>
  close(): Promise<void>
}
