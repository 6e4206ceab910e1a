/**
 * Merging layers. Layer b is merged into the layer a below it when every directory that holds a holds b too: then nobody reads a
 * without b on top, and a may change under b. Every state on the way reads the same in every directory:
 *   1. `qemu-img commit` copies b's clusters into a. Killed half-way: b still covers all that changed.
 *   2. b gets a link in merged/. From here on b is not needed; whoever comes next finishes the work.
 *   3. b is unlinked in one directory after another, in merged/ last.
 * Only one merge may run in a backend at a time: a layer's number is used again after it was dropped, and a second process that is
 * still dropping the old layer by its name could hit the new one. A lock of the kernel sees to that, on this host.
 * What a merge does to a layer and a directory does not show in their times of modification: those say whether somebody wrote into a
 * layer that a snapshot needs (changed-layers.ts).
 */
import { link, open, readdir, rm, stat, utimes } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runProcess } from '../../../block-io/process.ts'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { errorCode, ifPresent, syncPath } from './durable.ts'
import { holdersOf } from './holders.ts'
import { blockdevOf, type Chain, type Layer, type Layers, readChain } from './layers.ts'
import type { Layout } from './layout.ts'

const PERCENT = /\((\d+\.\d+)\/100%\)/
/** The unit of stat(2)'s count. */
const BLOCK_BYTES = 512

export interface Merging {
  readonly signal: AbortSignal
  readonly onProgress?: (progress: { doneBytes: number; totalBytes: number }) => void
}

/**
 * Merges what can be merged below and in the volume's top layer, and answers how many layers that were. The caller sees to it that
 * nobody writes the volume.
 */
export function compactDirectory(layout: Layout, directory: string, merging: Merging): Promise<number> {
  return alone(layout, async () => {
    await finishMerges(layout)
    for (let merges = 0; merges < LIMITS.layerDepthMax; merges++) {
      const pair = await findMergeable(layout, await readChain(directory))
      if (pair === undefined) return merges
      await merge(pair, merging)
      await markMerged(layout, pair.upper)
      await finishMerges(layout)
    }
    return LIMITS.layerDepthMax
  })
}

/** The lock ends with our open directory, however we end. (Node has no flock(); the program locks what it inherits.) */
async function alone<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  await using directory = await open(layout.merged, 'r')
  const lock = { passFileDescriptors: [directory.fd], timeoutMs: LIMITS.stallMs }
  await runProcess('flock', ['--exclusive', '--nonblock', '3'], lock).catch((cause: unknown) => {
    throw new DriverError('busy', 'Expected to be the only one that merges layers in this backend', { cause })
  })
  return await work()
}

interface Pair {
  /** The chain up to both. */
  readonly layers: Layers
  readonly lower: Layer
  readonly upper: Layer
}

async function merge({ layers, lower, upper }: Pair, { signal, onProgress }: Merging): Promise<void> {
  const device = `json:${JSON.stringify(blockdevOf(layers, 2))}`
  const [before, above] = [await stat(lower.path), await stat(upper.path)]
  const totalBytes = above.blocks * BLOCK_BYTES
  // -d: the upper layer is not emptied, it stays whole until nobody has it any more.
  await runProcess('qemu-img', ['commit', '-p', '-d', device], {
    signal,
    onStdoutLine: (line) => {
      const percent = PERCENT.exec(line)?.[1]
      if (percent !== undefined)
        onProgress?.({ doneBytes: Math.floor((totalBytes * Number(percent)) / 100), totalBytes })
    },
  })
  await syncPath(lower.path)
  await utimes(lower.path, before.atime, Math.max(before.mtimeMs, above.mtimeMs) / 1000)
}

/** Two neighbours that can be merged, and the chain up to them. */
async function findMergeable(layout: Layout, chain: Chain | undefined): Promise<Pair | undefined> {
  if (chain === undefined) return undefined
  const [base, ...above] = chain.layers
  for (const [index, upper] of above.entries()) {
    const lower = above[index - 1] ?? base
    if (!(await isAlwaysCovered(layout, lower, upper))) continue
    return { layers: [base, ...above.slice(0, index + 1)] as const, lower, upper }
  }
  return undefined
}

/** Counts the directories itself: a link that it cannot account for may be somebody who reads `lower` alone. */
async function isAlwaysCovered(layout: Layout, lower: Layer, upper: Layer): Promise<boolean> {
  const lowerHolders = await holdersOf(placesOf(layout), lower.path)
  const upperHolders = new Set(await holdersOf(placesOf(layout), upper.path))
  const { nlink } = await stat(lower.path)
  return lowerHolders.length === nlink && lowerHolders.every((holder) => upperHolders.has(holder))
}

function placesOf({ volumes, snapshots, scratch }: Layout): string[] {
  return [volumes, snapshots, scratch]
}

async function markMerged(layout: Layout, layer: Layer): Promise<void> {
  const { ino } = await stat(layer.path)
  await ifAbsent(link(layer.path, join(layout.merged, `${ino}-${basename(layer.path)}`)))
  await syncPath(layout.merged)
}

async function finishMerges(layout: Layout): Promise<void> {
  for (const marker of await readdir(layout.merged)) {
    const path = join(layout.merged, marker)
    const name = marker.slice(marker.indexOf('-') + 1)
    for (const directory of (await ifPresent(holdersOf(placesOf(layout), path, name))) ?? []) {
      await ifPresent(unlinkUnseen(directory, name))
    }
    await rm(path, { force: true })
    await syncPath(layout.merged)
  }
}

async function unlinkUnseen(directory: string, name: string): Promise<void> {
  const { atime, mtime } = await stat(directory)
  await rm(join(directory, name), { force: true })
  await utimes(directory, atime, mtime)
  await syncPath(directory)
}

async function ifAbsent(made: Promise<void>): Promise<void> {
  await made.catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw error
  })
}
