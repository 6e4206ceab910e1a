/** A backup in Cinder's format, its chain resolved, as something with bytes at offsets: to be copied into a repository. */
import type { BlockReader, Extent } from '../../block-io/device.ts'
import { requireRange } from '../../block-io/file-errors.ts'
import type { BackupLocation } from '../../domain/cinder-names.ts'
import { openCinderBackup } from './open-backup.ts'
import type { Sha256Index } from './sha256-file.ts'
import { SpooledObjects } from './spooled-objects.ts'
import { type CinderStore, openThreadStore, type ThreadStore } from './store.ts'
import type { MapPart } from './volume-map.ts'

/** What a thread needs to read a backup: a plain value. */
export interface CinderSource {
  readonly kind: 'cinder-backup'
  readonly from: ThreadStore
  readonly layout: CinderLayout
  /** For objects while they are read: at most LIMITS.cinderOpenBytes for each reader. */
  readonly spoolFolder: string
}

export interface CinderLayout {
  readonly sizeBytes: number
  readonly parts: readonly MapPart[]
  readonly sha256: Sha256Index | undefined
}

export async function cinderLayoutOf(
  store: CinderStore,
  location: BackupLocation,
  signal?: AbortSignal,
): Promise<CinderLayout> {
  const { sizeBytes, parts, sha256 } = await openCinderBackup(store, location, signal)
  return { sizeBytes, parts, sha256 }
}

export async function openCinderSource({ from, layout, spoolFolder }: CinderSource): Promise<BlockReader> {
  const store = await openThreadStore(from)
  return new CinderBackupReader(store, layout, { spoolFolder, close: () => store.close() })
}

/**
 * Reads should go forward: an object is fetched, decompressed and checked as a whole when the first of its bytes is wanted, and forgotten
 * when later ones need its room. Damage: DriverError `corrupt` that names the object.
 */
export class CinderBackupReader implements BlockReader {
  readonly sizeBytes: number
  readonly #segments: readonly Segment[]
  readonly #objects: SpooledObjects
  readonly #close: () => Promise<void>

  constructor(
    store: CinderStore,
    layout: CinderLayout,
    options: { spoolFolder: string; objectsMax?: number; close?: () => Promise<void> },
  ) {
    this.sizeBytes = layout.sizeBytes
    this.#segments = segmentsOf(layout.parts)
    const { spoolFolder: folder, close = async () => {}, ...limits } = options
    this.#objects = new SpooledObjects(store, layout.sha256, { folder, ...limits })
    this.#close = close
  }

  async read(buffer: Uint8Array, offset: number): Promise<void> {
    requireRange(this.sizeBytes, offset, buffer.length)
    const end = offset + buffer.length
    for (let index = this.#find(offset); ; index += 1) {
      const segment = this.#segments[index]
      if (segment === undefined || segment.from >= end) return
      const [from, to] = [Math.max(offset, segment.from), Math.min(end, segment.to)]
      await this.#objects.read(segment.part, buffer.subarray(from - offset, to - offset), from)
    }
  }

  /** Cinder's format has no holes: zeroes show themselves when they are read. */
  async extents(offset: number, length: number): Promise<Extent[]> {
    return length === 0 ? [] : [{ offset, length, kind: 'data' }]
  }

  async close(): Promise<void> {
    await this.#objects.close()
    await this.#close()
  }

  /** The segment in which the byte is: there is one for each byte. */
  #find(offset: number): number {
    let low = 0
    let high = this.#segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#segments[middle]?.to ?? Infinity) <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

interface Segment {
  readonly from: number
  readonly to: number
  readonly part: MapPart
}

function segmentsOf(parts: readonly MapPart[]): Segment[] {
  return parts
    .flatMap((part) => part.ranges.map(([from, to]) => ({ from, to, part })))
    .toSorted((a, b) => a.from - b.from)
}
