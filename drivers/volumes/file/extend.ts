import { truncate } from 'node:fs/promises'
import { z } from 'zod'
import { runProcess } from '../../../block-io/process.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { checkAtLeast, checkSize } from '../sizes.ts'
import { needChain, needClosed } from './checks.ts'
import { syncPath } from './durable.ts'
import { type GuestPlace, withGuest } from '../guest.ts'
import { blockdevOf, type Chain } from './layers.ts'
import { type Layout, volumeDirectory } from './layout.ts'
import { endMerge } from './online-merge.ts'
import { currentDirectory } from './replace.ts'
import { notOpen, settledStanding } from './standing.ts'
import { writableChain } from './writable.ts'

/** Only the top layer grows, one of the volume's own: what snapshots and clones share keeps its size. */
export async function extendVolume(layout: Layout, volumeId: string, sizeBytes: number): Promise<void> {
  checkSize(sizeBytes)
  const directory = await currentDirectory(volumeDirectory(layout, volumeId))
  checkAtLeast(sizeBytes, { what: 'volume', sizeBytes: (await needClosed(directory)).sizeBytes })
  const chain = await writableChain(layout, directory)
  if (chain.top.format === 'raw') await truncate(chain.top.path, sizeBytes)
  else await resizeQcow2(chain, sizeBytes)
  await syncPath(chain.top.path)
}

/** By the guest's qemu, which tells the guest. */
export async function extendOnline(
  layout: Layout,
  place: GuestPlace,
  { volumeId, sizeBytes, guest }: { volumeId: string; sizeBytes: number; guest: string },
): Promise<void> {
  checkSize(sizeBytes)
  const directory = await currentDirectory(volumeDirectory(layout, volumeId))
  await withGuest(place, guest, async (monitor) => {
    const chain = await needChain(directory, 'volume')
    checkAtLeast(sizeBytes, { what: 'volume', sizeBytes: chain.sizeBytes })
    const standing =
      monitor && (await endMerge(monitor, directory), await settledStanding(layout, monitor, directory))
    if (monitor === undefined || standing?.active === undefined) {
      // Done before the guest ended.
      if (chain.sizeBytes === sizeBytes) return
      throw notOpen(directory, guest)
    }
    const { nodeName, path } = standing.active
    await monitor.execute('block_resize', { 'node-name': nodeName, size: sizeBytes }, z.unknown())
    await syncPath(path)
  })
}

/** Larger tables are written before the size that needs them. What a killed resize allocated for nothing is given back. */
async function resizeQcow2({ layers, top }: Chain, sizeBytes: number): Promise<void> {
  const timeoutMs = LIMITS.stallMs
  const chain = `json:${JSON.stringify(blockdevOf(layers, 1))}`
  const alone = `json:${JSON.stringify({ driver: 'qcow2', file: { driver: 'file', filename: top.path }, backing: null })}`
  await runProcess('qemu-img', ['resize', '-q', chain, `${sizeBytes}`], { timeoutMs })
  await runProcess('qemu-img', ['check', '-q', '-r', 'leaks', alone], { timeoutMs })
}
