/**
 * Merging layers of a volume that a guest has open, by the guest's own qemu: the layer below the one that it writes is merged into the
 * next, when no other directory has either of them. Every state on the way reads the same in the volume's directory: the upper layer
 * covers all that changes below it, and its name goes only when qemu says that it has done with it. (Merging the layer that the guest
 * writes would not be so: between qemu's change-over and the removal of the name, the directory would read old bytes.)
 */
import { rm, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { QmpClient } from '../../../block-io/qmp/client.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { needChain } from './checks.ts'
import { syncPath } from './durable.ts'
import { type GuestPlace, withGuest } from '../guest.ts'
import type { CompactRequest } from '../driver.ts'
import type { Layer } from './layers.ts'
import { type Layout, volumeDirectory } from './layout.ts'
import { currentDirectory, withoutNext } from './replace.ts'
import { settledStanding } from './standing.ts'

const JOBS = z.array(z.object({ id: z.string(), status: z.string(), error: z.string().optional() }))
type Job = z.infer<typeof JOBS>[number]

/** Merges what can be merged. The monitor is free in between: a snapshot or an extension that comes ends the merge. */
export async function mergeOnline(
  layout: Layout,
  place: GuestPlace,
  { volumeId, guest, signal }: CompactRequest & { guest: string },
): Promise<{ mergedLayers: number }> {
  const directory = await currentDirectory(volumeDirectory(layout, volumeId))
  const layersBefore = await depthOf(directory)
  for (
    let waitMs: number = LIMITS.volumeClosePollMs;
    ;
    waitMs = Math.min(2 * waitMs, LIMITS.guestMergePollMs)
  ) {
    const goesOn = await withGuest(place, guest, async (monitor) => {
      if (monitor === undefined) return false
      if (!signal.aborted) return mergeStep(layout, monitor, directory)
      await endMerge(monitor, directory)
      return false
    })
    signal.throwIfAborted()
    if (!goesOn) return { mergedLayers: layersBefore - (await depthOf(directory)) }
    await sleep(waitMs, undefined, { signal }).catch(() => undefined)
  }
}

async function depthOf(directory: string): Promise<number> {
  return (await needChain(directory, 'volume')).layers.length
}

/** For whoever has other plans with the volume: a merge that runs is stopped, which loses nothing. */
export async function endMerge(monitor: QmpClient, directory: string): Promise<void> {
  for (let left = LIMITS.volumeCloseMs; left > 0; left -= LIMITS.volumeClosePollMs) {
    const job = await jobOf(monitor, directory)
    if (job === undefined) return
    if (job.status === 'concluded') await conclude(monitor, directory, job)
    else if (job.status !== 'aborting') await monitor.execute('job-cancel', { id: job.id }, z.unknown())
    await sleep(LIMITS.volumeClosePollMs)
  }
}

async function mergeStep(layout: Layout, monitor: QmpClient, directory: string): Promise<boolean> {
  const job = await jobOf(monitor, directory)
  if (job !== undefined && job.status !== 'concluded') return true
  if (job !== undefined && !(await conclude(monitor, directory, job))) return false
  const { chain, nodes, active } = await settledStanding(layout, monitor, directory)
  const [lower, upper] = chain.layers.slice(-3, -1)
  if (active === undefined || lower === undefined || upper === undefined) return false
  const [base, top] = [nodes.get(lower.path), nodes.get(upper.path)]
  if (base === undefined || top === undefined || !(await areOwn([lower, upper]))) return false
  await monitor.execute(
    'block-commit',
    {
      'job-id': `${jobPrefix(directory)}${upper.depth}`,
      device: active.nodeName,
      'top-node': top.name,
      'base-node': base.name,
      'backing-file': basename(lower.path),
      'auto-dismiss': false,
    },
    z.unknown(),
  )
  return true
}

async function areOwn(layers: readonly Layer[]): Promise<boolean> {
  const files = await Promise.all(layers.map(({ path }) => stat(path)))
  return files.every(({ nlink }) => nlink === 1)
}

async function jobOf(monitor: QmpClient, directory: string): Promise<Job | undefined> {
  const jobs = await monitor.execute('query-jobs', {}, JOBS)
  return jobs.find(({ id }) => id.startsWith(jobPrefix(directory)))
}

/** False: it failed, or was stopped. */
async function conclude(monitor: QmpClient, directory: string, job: Job): Promise<boolean> {
  const merged = job.error === undefined
  if (merged) await removeMerged(directory, Number(job.id.slice(jobPrefix(directory).length)))
  await monitor.execute('job-dismiss', { id: job.id }, z.unknown())
  return merged
}

async function removeMerged(directory: string, depth: number): Promise<void> {
  const { layers } = await needChain(directory, 'volume')
  const index = layers.findIndex((layer) => layer.depth === depth)
  const [lower, upper] = [layers[index - 1], layers[index]]
  if (lower === undefined || upper === undefined) return
  await syncPath(lower.path)
  await rm(upper.path)
  await syncPath(directory)
}

function jobPrefix(directory: string): string {
  return `volflow-merge-${withoutNext(basename(directory))}-`
}
