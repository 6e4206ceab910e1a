import { setTimeout as sleep } from 'node:timers/promises'
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import type { FlattenRequest, InUse } from '../driver.ts'
import { rbd, rbdJson } from './commands.ts'
import { currentImage, type ImageInfo, infoOf, markOf, removeMark, setMark } from './images.ts'
import { volumeImage } from './names.ts'
import { type RbdPlace, specOf } from './place.ts'
import { claimImage, recordedWhile } from './writers.ts'

const PERCENT = /(\d+)% complete/g

/** Of the image, while it has no map of its objects. */
const MAPLESS = 'volflow.mapless'
const MAPS = ['object-map', 'fast-diff']

/**
 * `rbd flatten`, which goes through all objects and copies those that the image does not have: begun again it is soon where it was. With
 * a guest the guest's own client does it, and goes on with it when we are gone.
 *
 * Meanwhile the image has no map of its objects. Ceph puts an object on the map before it copies it, and skips what is on the map: where
 * it was killed in between, the next flattening would lose the object (docs/rbd.md).
 */
export async function flattenVolume(
  place: RbdPlace,
  { volumeId, guest, ...request }: FlattenRequest & InUse,
): Promise<{ flattened: boolean }> {
  volumeImage(volumeId)
  const image = await currentImage(place, volumeId)
  if (image.parent === undefined) {
    await restoreMaps(place, image.name)
    return { flattened: false }
  }
  const work = async () => {
    await removeMaps(place, image)
    await flatten(place, image, request)
  }
  if (guest === undefined) {
    await claimImage(place, image.name)
    await recordedWhile(place, image.name, work)
  } else await work()
  await restoreMaps(place, image.name)
  return { flattened: true }
}

async function removeMaps(place: RbdPlace, { name, features }: ImageInfo): Promise<void> {
  const maps = MAPS.filter((map) => features.includes(map))
  if (maps.length === 0) return
  await setMark(place, name, MAPLESS, maps.join(','))
  await rbd(place, ['feature', 'disable', specOf(place, name), ...maps])
}

/** What was taken away, by this call or by one before it that was killed. */
async function restoreMaps(place: RbdPlace, name: string): Promise<void> {
  const maps = (await markOf(place, name, MAPLESS))?.split(',')
  if (maps === undefined) return
  const { features } = await infoOf(place, name)
  const missing = maps.filter((map) => !features.includes(map))
  if (missing.length > 0) await rbd(place, ['feature', 'enable', specOf(place, name), ...missing])
  await rbd(place, ['object-map', 'rebuild', '--no-progress', specOf(place, name)], {
    timeoutMs: RBD_LIMITS.rbdFlattenMs,
  })
  await removeMark(place, name, MAPLESS)
}

type Request = Omit<FlattenRequest, 'volumeId'>

/** By the time it returns no process is alive. */
async function flatten(place: RbdPlace, { name, size }: ImageInfo, request: Request): Promise<void> {
  const meter = new Meter(size, request.onProgress)
  const stop = new AbortController()
  const signal = AbortSignal.any([request.signal, stop.signal])
  const options = {
    signal,
    timeoutMs: RBD_LIMITS.rbdFlattenMs,
    onStderrChunk: (text: string) => meter.read(text),
  }
  const flattening = rbd(place, ['flatten', specOf(place, name)], options).finally(() => stop.abort())
  const watching = watch(place, name, meter, { ...request, signal }).finally(() => stop.abort())
  const [flattened, watched] = await Promise.allSettled([flattening, watching])
  for (const outcome of [watched, flattened]) if (outcome.status === 'rejected') throw outcome.reason
}

/** Until it is told to stop. */
async function watch(
  place: RbdPlace,
  image: string,
  meter: Meter,
  { signal, onCheckpoint }: Request,
): Promise<void> {
  while (!signal.aborted) {
    // The question costs the cluster something, too: it is asked only where the program has nothing new to say.
    if (!meter.hasAdvanced()) meter.countOwn(await ownBytes(place, image))
    await onCheckpoint(meter.certainBytes)
    await sleep(RBD_LIMITS.rbdFlattenPollMs, undefined, { signal }).catch(() => undefined)
  }
}

/** What the image has itself, from the map of its objects. */
async function ownBytes(place: RbdPlace, image: string): Promise<number> {
  const { images } = await rbdJson<{ images: { snapshot?: string; used_size: number }[] }>(place, [
    ...['du', specOf(place, image)],
  ])
  return images.find(({ snapshot }) => snapshot === undefined)?.used_size ?? 0
}

/**
 * How far it is: what the program says, in whole percents, which of a large image takes minutes each; and between two of them what
 * the image has got meanwhile.
 */
class Meter {
  readonly #stepBytes: number
  readonly #onProgress: (doneBytes: number) => void
  #percent = 0
  #askedPercent = -1
  #ownBytesAtPercent: number | undefined
  #doneBytes = 0

  constructor(sizeBytes: number, onProgress: (doneBytes: number) => void) {
    this.#stepBytes = sizeBytes / 100
    this.#onProgress = onProgress
  }

  /** The program says a percent when it begins with it. */
  get certainBytes(): number {
    return Math.floor(Math.max(0, this.#percent - 1) * this.#stepBytes)
  }

  read(text: string): void {
    const percent = Number(text.matchAll(PERCENT).toArray().at(-1)?.[1] ?? 0)
    if (percent <= this.#percent) return
    this.#percent = percent
    this.#ownBytesAtPercent = undefined
    this.#tell(percent * this.#stepBytes)
  }

  /** By a percent, since this was asked last. */
  hasAdvanced(): boolean {
    const advanced = this.#percent > this.#askedPercent
    this.#askedPercent = this.#percent
    return advanced
  }

  countOwn(bytes: number): void {
    this.#ownBytesAtPercent ??= bytes
    const since = bytes - this.#ownBytesAtPercent
    this.#tell(this.#percent * this.#stepBytes + Math.min(since, this.#stepBytes))
  }

  #tell(bytes: number): void {
    if (bytes <= this.#doneBytes) return
    this.#doneBytes = Math.floor(bytes)
    this.#onProgress(this.#doneBytes)
  }
}
