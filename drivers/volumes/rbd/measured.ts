import { setTimeout as sleep } from 'node:timers/promises'
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import type { FlattenRequest } from '../driver.ts'
import { ifThere, rbd } from './commands.ts'
import { readPercent } from './percent.ts'
import type { RbdPlace } from './place.ts'
import { usedBytes } from './usage.ts'

/** Objects; twice Ceph's default, with which a copy took 5 to 8 % longer in a cluster of one OSD. */
const AT_ONCE = ['--rbd-concurrent-management-ops', '20']

type Request = Omit<FlattenRequest, 'volumeId'>

interface Growing {
  readonly image: string
  readonly sizeBytes: number
}

/** `rbd` with a command that fills the image. By the time it returns no process is alive. */
export async function rbdMeasured(
  place: RbdPlace,
  args: readonly string[],
  { image, sizeBytes }: Growing,
  request: Request,
): Promise<void> {
  const meter = new Meter(sizeBytes, request.onProgress)
  const stop = new AbortController()
  const signal = AbortSignal.any([request.signal, stop.signal])
  const options = {
    signal,
    timeoutMs: RBD_LIMITS.rbdFlattenMs,
    onStderrChunk: readPercent((percent) => meter.advance(percent)),
  }
  const working = rbd(place, [...args, ...AT_ONCE], options).finally(() => stop.abort())
  const watching = watch(place, image, meter, { ...request, signal }).finally(() => stop.abort())
  const [worked, watched] = await Promise.allSettled([working, watching])
  for (const outcome of [watched, worked]) if (outcome.status === 'rejected') throw outcome.reason
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
    if (!meter.hasAdvanced()) meter.countOwn((await ifThere(usedBytes(place, image))) ?? 0)
    await onCheckpoint(meter.certainBytes)
    await sleep(RBD_LIMITS.rbdFlattenPollMs, undefined, { signal }).catch(() => undefined)
  }
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

  advance(percent: number): void {
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
