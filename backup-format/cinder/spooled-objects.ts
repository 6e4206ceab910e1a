/** Objects that were fetched, decompressed and checked, each in a file without a name: their bytes can be read in any order. */
import type { FileHandle } from 'node:fs/promises'
import { fileError } from '../../block-io/file-errors.ts'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { createChunkRead } from './chunk-read.ts'
import type { Sha256Index } from './sha256-file.ts'
import { openSpoolFile } from './spool-file.ts'
import type { CinderStore } from './store.ts'
import type { MapPart } from './volume-map.ts'

interface Spooled {
  readonly part: MapPart
  readonly file: Promise<FileHandle>
  /** Reads that are not done; who closes the file waits for them. */
  users: number
}

export class SpooledObjects {
  readonly #folder: string
  readonly #objectsMax: number
  readonly #fetch: ReturnType<typeof createChunkRead>
  readonly #objects = new Map<MapPart, Spooled>()
  readonly #stop = new AbortController()
  readonly #closing = new Set<Promise<void>>()

  constructor(
    store: CinderStore,
    sha256: Sha256Index | undefined,
    { folder, objectsMax = LIMITS.cinderOpenObjects }: { folder: string; objectsMax?: number },
  ) {
    this.#folder = folder
    this.#objectsMax = objectsMax
    this.#fetch = createChunkRead(store, { sha256, strict: true })
  }

  /** Fills the buffer with what the volume has from `offset` on, which must be in one range of the part. */
  async read(part: MapPart, buffer: Uint8Array, offset: number): Promise<void> {
    this.#stop.signal.throwIfAborted()
    const spooled = this.#objects.get(part) ?? this.#open(part)
    spooled.users += 1
    try {
      const file = await spooled.file
      const at = offset - part.object.offset
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at).catch(fileError)
      if (bytesRead === buffer.length) return
      throw new DriverError(
        'transient',
        `Expected ${buffer.length} bytes of a spooled object, got ${bytesRead}`,
      )
    } finally {
      spooled.users -= 1
    }
  }

  /** What is in work is given up. */
  async close(): Promise<void> {
    this.#stop.abort()
    for (const spooled of this.#objects.values()) this.#forget(spooled)
    await Promise.all(this.#closing)
  }

  #open(part: MapPart): Spooled {
    this.#makeRoom(part.object.length)
    const file = this.#spool(part)
    const spooled = { part, file, users: 0 }
    this.#objects.set(part, spooled)
    // Whoever comes next tries again.
    file.catch(() => this.#objects.delete(part))
    return spooled
  }

  async #spool(part: MapPart): Promise<FileHandle> {
    const file = await openSpoolFile(this.#folder)
    const write = async (bytes: Buffer, offset: number) => {
      await file.write(bytes, 0, bytes.length, offset - part.object.offset).catch(fileError)
      return { movedBytes: bytes.length, different: [] }
    }
    try {
      await this.#fetch(part, write, this.#stop.signal)
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Reads go forward: the objects that end first go first. Those that are being read stay, whatever the limits. */
  #makeRoom(bytes: number): void {
    const idle = [...this.#objects.values()]
      .filter(({ users }) => users === 0)
      .toSorted((a, b) => endOf(a) - endOf(b))
    let held = [...this.#objects.values()].reduce((sum, { part }) => sum + part.object.length, bytes)
    for (const spooled of idle) {
      if (this.#objects.size < this.#objectsMax && held <= LIMITS.cinderOpenBytes) return
      held -= spooled.part.object.length
      this.#forget(spooled)
    }
  }

  #forget(spooled: Spooled): void {
    this.#objects.delete(spooled.part)
    const closed = spooled.file.then(
      (file) => file.close(),
      () => undefined,
    )
    this.#closing.add(closed)
    void closed.finally(() => this.#closing.delete(closed))
  }
}

/** Of what of it is shown. */
function endOf({ part: { ranges } }: Spooled): number {
  return ranges.at(-1)?.[1] ?? 0
}
