/**
 * A snapshot of a volume that a guest writes, where volumes have layers. The volume's directory is right at every moment, whoever is
 * killed:
 *   1. The volume's layers get their second names in scratch/. That this attempt is there says that the snapshot was begun.
 *   2. An empty layer is put on top in the volume's directory. The guest still writes below it, which reads the same.
 *   3. qemu flushes, and goes on in the new layer. From here on the layer below is frozen: this is the snapshot's moment.
 *   4. The attempt is renamed to the snapshot.
 * Whoever comes next sees how far it got: in an attempt whose top layer nobody writes any more, it was past 3. Also when that was
 * another snapshot's doing, or the guest's end: it is a moment after the request.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, rm, utimes } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { z } from 'zod'
import type { QmpClient } from '../../../block-io/qmp/client.ts'
import { DriverError } from '../../../domain/errors.ts'
import type { SnapshotRef } from '../driver.ts'
import { checkDepth, needChain } from './checks.ts'
import { exists, syncPath } from './durable.ts'
import { type GuestPlace, withGuest } from '../guest.ts'
import { type Chain, overlayBlockdev, readChain, shareLayers } from './layers.ts'
import { type Layout, snapshotDirectory, volumeDirectory } from './layout.ts'
import { endMerge } from './online-merge.ts'
import { currentDirectory } from './replace.ts'
import { adoptAttempts, attemptPath, publishAttempt } from './scratch.ts'
import { notOpen, settledStanding, type Standing, standingOf } from './standing.ts'
import { addLayer } from './writable.ts'
import { isOpenForWriting } from './writers.ts'

export async function createOnlineSnapshot(
  layout: Layout,
  place: GuestPlace,
  { guest, ...ref }: SnapshotRef & { guest: string },
): Promise<void> {
  const target = snapshotDirectory(layout, ref)
  const directory = await currentDirectory(volumeDirectory(layout, ref.volumeId))
  await withGuest(place, guest, async (monitor) => {
    // Also when it was there: the attempt that made it may have died before this.
    if (await exists(target)) return syncPath(dirname(target))
    const attempt = await wholeAttempt(layout, target)
    if (attempt !== undefined && (await isFrozen(monitor, directory, attempt.chain))) {
      return publish(attempt, target)
    }
    if (monitor === undefined) throw notOpen(directory, guest)
    await endMerge(monitor, directory)
    const standing = await settledStanding(layout, monitor, directory)
    if (standing.active === undefined) throw notOpen(directory, guest)
    await freeze(layout, monitor, { directory, standing, attempt, target })
  })
}

interface Attempt {
  readonly path: string
  readonly chain: Chain
}

/** The attempt that has all its layers; others are removed. */
async function wholeAttempt(layout: Layout, target: string): Promise<Attempt | undefined> {
  let whole: Attempt | undefined
  for (const path of await adoptAttempts(layout.scratch, target)) {
    const chain = whole === undefined ? await readChain(path).catch(() => undefined) : undefined
    if (chain === undefined) await rm(path, { recursive: true, force: true })
    else whole = { path, chain }
  }
  return whole
}

/** Has the volume a layer above the attempt's, and does nobody write one of those any more? */
async function isFrozen(monitor: QmpClient | undefined, directory: string, { layers, top }: Chain) {
  const volume = await needChain(directory, 'volume')
  if (volume.top.depth <= top.depth || (await isOpenForWriting(layers.map(({ path }) => path)))) return false
  const active = monitor && (await standingOf(monitor, directory)).active
  return active === undefined || active.depth > top.depth
}

interface Freeze {
  readonly directory: string
  readonly standing: Standing
  readonly attempt: Attempt | undefined
  readonly target: string
}

async function freeze(layout: Layout, monitor: QmpClient, { directory, standing, ...snapshot }: Freeze) {
  const { chain, active } = standing
  checkDepth(chain, basename(directory))
  const attempt = snapshot.attempt ?? (await beginAttempt(layout, snapshot.target, chain))
  try {
    await addLayer(layout, directory, chain)
    const { top } = await needChain(directory, 'volume')
    const overlay = `volflow-${randomBytes(8).toString('hex')}`
    await monitor.execute('blockdev-add', overlayBlockdev(top.path, overlay), z.unknown())
    await monitor.execute('blockdev-snapshot', { node: active?.nodeName, overlay }, z.unknown())
  } catch (error) {
    // When nobody knows whether qemu did it, the attempt stays: the next call finds out.
    if (!(error instanceof DriverError && error.kind === 'transient')) {
      await rm(attempt.path, { recursive: true, force: true })
    }
    throw error
  }
  if (!(await isFrozen(monitor, directory, attempt.chain))) {
    await rm(attempt.path, { recursive: true, force: true })
    throw new DriverError('inUse', 'Expected the guest to let go of the frozen layer, it still writes it')
  }
  await publish(attempt, snapshot.target)
}

async function beginAttempt(layout: Layout, target: string, chain: Chain): Promise<Attempt> {
  const path = attemptPath(layout.scratch, target)
  await mkdir(path)
  await shareLayers(chain, path, false)
  return { path, chain }
}

async function publish({ path, chain }: Attempt, target: string): Promise<void> {
  await syncPath(chain.top.path)
  // The guest wrote after the layers were linked; see changed-layers.ts.
  await utimes(path, new Date(), new Date())
  await publishAttempt(path, target)
}
