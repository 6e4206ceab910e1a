/**
 * Merging layers. Layer b is merged into the layer a below it when every directory that holds a holds b too: then nobody reads a
 * without b on top, and a may change under b. Every state on the way reads the same in every directory:
 *   1. `qemu-img commit` copies b's clusters into a. Killed half-way: b still covers all that changed.
 *   2. b gets a link in merged/. From here on b is not needed; whoever comes next finishes the work.
 *   3. b is unlinked in one directory after another, in merged/ last.
 * Only one merge may run in a backend at a time: a layer's number is used again after it was dropped, and a second process that is
 * still dropping the old layer by its name could hit the new one.
 */
import { link, readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runProcess } from '../../../block-io/process.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { errorCode, ifPresent, syncPath } from './durable.ts'
import { blockdevOf, type Chain, type Layer, readChain } from './layers.ts'
import type { Layout } from './layout.ts'

/** Merges what can be merged below and in the volume's top layer. The caller sees to it that nobody writes the volume. */
export async function compactDirectory(
  layout: Layout,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  await finishMerges(layout)
  for (let merges = 0; merges < LIMITS.layerDepthMax; merges++) {
    const pair = await findMergeable(layout, await readChain(directory))
    if (pair === undefined) return
    const device = `json:${JSON.stringify(blockdevOf(pair.layers, 2))}`
    // -d: the upper layer is not emptied, it stays whole until nobody has it any more.
    await runProcess('qemu-img', ['commit', '-q', '-d', device], { signal })
    await syncPath(pair.lower.path)
    await markMerged(layout, pair.upper)
    await finishMerges(layout)
  }
}

/** Two neighbours that can be merged, and the chain up to them. */
async function findMergeable(layout: Layout, chain: Chain | undefined) {
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
  const lowerHolders = await holdersOf(layout, lower.path)
  const upperHolders = new Set(await holdersOf(layout, upper.path))
  const { nlink } = await stat(lower.path)
  return lowerHolders.length === nlink && lowerHolders.every((holder) => upperHolders.has(holder))
}

/** Every directory, finished or not, that has this very file. It has the same name in each. */
async function holdersOf(layout: Layout, path: string, name = basename(path)): Promise<string[]> {
  const { ino } = await stat(path)
  const holders: string[] = []
  for (const place of [layout.volumes, layout.snapshots, layout.scratch]) {
    for (const entry of await readdir(place)) {
      const found = await statInDirectory(join(place, entry, name))
      if (found?.ino === ino) holders.push(join(place, entry))
    }
  }
  return holders
}

async function statInDirectory(path: string): Promise<{ ino: number } | undefined> {
  return ifPresent(stat(path)).catch((error: unknown) => {
    // A probe in scratch/ is a file.
    if (errorCode(error) === 'ENOTDIR') return undefined
    throw error
  })
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
    for (const directory of (await ifPresent(holdersOf(layout, path, name))) ?? []) {
      await rm(join(directory, name), { force: true })
      await ifPresent(syncPath(directory))
    }
    await rm(path, { force: true })
    await syncPath(layout.merged)
  }
}

async function ifAbsent(made: Promise<void>): Promise<void> {
  await made.catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw error
  })
}
