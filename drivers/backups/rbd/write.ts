import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import { clusterIdOf, ifThere, rbd, rbdInput, unlessThere } from '../../volumes/rbd/commands.ts'
import { infoOf, markOf, setMark, snapshotsOf } from '../../volumes/rbd/images.ts'
import { readPercent } from '../../volumes/rbd/percent.ts'
import { type RbdPlace, specOf } from '../../volumes/rbd/place.ts'
import { claimImage, recordedWhile } from '../../volumes/rbd/writers.ts'
import type { RunningExport } from '../../volumes/driver.ts'
import type { PoolWrite } from '../pool.ts'
import { filterDiff } from './diff-stream.ts'
import { cleanAt, HEAD, writing } from './head.ts'
import { backupImage, backupSnapshot } from './names.ts'

/**
 * No map of objects: a flattening that is killed loses what is on the map and not yet there (docs/rbd.md), and a rollback that is killed
 * may; that was not tried out.
 */
const FEATURES = 'layering,exclusive-lock'

/**
 * `rbd export-diff | rbd import-diff`, and the snapshot when both have ended well. Begun again it starts over: from the parent's snapshot, or
 * from nothing.
 */
export async function writeBackup(place: RbdPlace, request: PoolWrite): Promise<{ movedBytes: number }> {
  const { volumeId, backupId, source } = request
  const [image, snapshot] = [backupImage(volumeId), backupSnapshot(backupId)]
  await requireSameCluster(place, request)
  const isNew = await makeImage(place, image, source.sizeBytes)
  await claimImage(place, image)
  const snapshots = new Set((await snapshotsOf(place, image)).map(({ name }) => name))
  if (snapshots.has(snapshot)) {
    await setMark(place, image, HEAD, cleanAt(backupId))
    return { movedBytes: 0 }
  }
  const base = baseOf(request)
  if (base !== undefined && !snapshots.has(backupSnapshot(base)))
    throw new DriverError('notFound', `Expected backup ${base} in pool ${place.pool}, it is not there`)
  return recordedWhile(place, image, async () => {
    const head = await markOf(place, image, HEAD)
    await setMark(place, image, HEAD, writing(backupId))
    if (base === undefined) await (isNew ? undefined : emptyHead(place, image, request))
    else if (head !== cleanAt(base)) await rollBack(place, image, base, request)
    const movedBytes = await receive(place, image, request)
    request.signal.throwIfAborted()
    await rbd(place, ['snap', 'create', '--no-progress', specOf(place, image, snapshot)])
    await setMark(place, image, HEAD, cleanAt(backupId))
    return { movedBytes }
  })
}

/** Undefined: everything comes. */
function baseOf({ source, parentBackupId }: PoolWrite): string | undefined {
  return parentBackupId === null || source.unknown !== undefined ? undefined : parentBackupId
}

async function requireSameCluster(place: RbdPlace, { source, volumeId }: PoolWrite): Promise<void> {
  if ((await clusterIdOf(place)) === source.clusterId) return
  throw new DriverError(
    'unsupported',
    `Expected volume ${volumeId} to be in the cluster of pool ${place.pool}, it is in another. Choose another target.`,
  )
}

/** True: nobody has written it. */
async function makeImage(place: RbdPlace, image: string, sizeBytes: number): Promise<boolean> {
  const data = place.dataPool === undefined ? [] : ['--data-pool', place.dataPool]
  const layout = ['--image-format', '2', '--image-feature', FEATURES, ...data]
  const create = () => rbd(place, ['create', '--size', `${sizeBytes}B`, ...layout, specOf(place, image)])
  if (await unlessThere(create())) return true
  if ((await ifThere(infoOf(place, image))) !== undefined) return false
  // It was begun: it has a name, and nothing behind it.
  await ifThere(rbd(place, ['rm', '--no-progress', specOf(place, image)]))
  await create()
  return true
}

/** What a full backup does not name must read as zeroes. The snapshots keep what they have. */
async function emptyHead(place: RbdPlace, image: string, request: PoolWrite): Promise<void> {
  await prepare(place, ['resize', '--size', '0', '--allow-shrink', specOf(place, image)], request)
}

/** As it was when the parent was taken, whatever was deleted or left unfinished since. */
async function rollBack(place: RbdPlace, image: string, base: string, request: PoolWrite): Promise<void> {
  await prepare(place, ['snap', 'rollback', specOf(place, image, backupSnapshot(base))], request)
}

async function prepare(
  place: RbdPlace,
  args: readonly string[],
  { source: { sizeBytes }, signal, onProgress }: PoolWrite,
): Promise<void> {
  const onStderrChunk = readPercent((percent) =>
    onProgress({ phase: 'preparing', doneBytes: Math.floor((sizeBytes * percent) / 100), movedBytes: 0 }),
  )
  await rbd(place, args, { signal, timeoutMs: RBD_LIMITS.rbdFlattenMs, onStderrChunk })
}

async function receive(place: RbdPlace, image: string, request: PoolWrite): Promise<number> {
  const { source, signal, pace, onProgress } = request
  const meter = new Meter(source.sizeBytes, onProgress)
  const exporting = source.start((percent) => meter.scanned(percent))
  const importing = rbdInput(place, ['import-diff', '--no-progress', '-', specOf(place, image)])
  const failures: unknown[] = []
  for (const { ended } of [exporting, importing]) ended.catch((error: unknown) => failures.push(error))
  const stop = () => exporting.stream.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    for await (const piece of filterDiff(exporting.stream, (position) => meter.moved(position))) {
      signal.throwIfAborted()
      await pace(piece.length)
      if (!importing.stream.write(piece))
        await Promise.race([once(importing.stream, 'drain'), importing.ended])
    }
    importing.stream.end()
    await Promise.all([exporting.ended, importing.ended])
    return meter.dataBytes
  } catch (error) {
    signal.throwIfAborted()
    // A program that failed says more than the stream between the two; the second only says that it got a part.
    const either = Promise.race([exporting.ended, importing.ended]).catch(() => undefined)
    await Promise.race([either, sleep(RBD_LIMITS.rbdReasonMs)])
    throw failures[0] ?? error
  } finally {
    signal.removeEventListener('abort', stop)
    importing.stream.end()
    exporting.kill()
    await Promise.all([exporting.ended.catch(() => undefined), untilEnded(importing)])
  }
}

/** Told that the input has ended, it closes the image; killed, it would keep it open for half a minute. */
async function untilEnded({ ended, kill }: Pick<RunningExport, 'ended' | 'kill'>): Promise<void> {
  const timer = setTimeout(kill, LIMITS.processStopMs)
  await ended.catch(() => undefined)
  clearTimeout(timer)
}

/** How far it is in the volume: what has passed, or, while nothing differs, what was looked at. */
class Meter {
  dataBytes = 0
  readonly #sizeBytes: number
  readonly #onProgress: PoolWrite['onProgress']
  #doneBytes = 0

  constructor(sizeBytes: number, onProgress: PoolWrite['onProgress']) {
    this.#sizeBytes = sizeBytes
    this.#onProgress = onProgress
  }

  moved({ offset, dataBytes }: { offset: number; dataBytes: number }): void {
    this.dataBytes = dataBytes
    this.#tell(offset)
  }

  scanned(percent: number): void {
    this.#tell(Math.floor((this.#sizeBytes * percent) / 100))
  }

  #tell(offset: number): void {
    this.#doneBytes = Math.min(this.#sizeBytes, Math.max(this.#doneBytes, offset))
    this.#onProgress({ phase: 'uploading', doneBytes: this.#doneBytes, movedBytes: this.dataBytes })
  }
}
