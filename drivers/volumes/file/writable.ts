import { link } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { needChain } from './checks.ts'
import { errorCode, syncPath } from './durable.ts'
import { type Chain, createOverlay } from './layers.ts'
import type { Layout } from './layout.ts'
import { clearScratch, withAttempt } from './scratch.ts'

/** The volume's chain with a top layer that nobody else needs: a frozen one gets an empty layer over it. */
export async function writableChain(layout: Layout, directory: string): Promise<Chain> {
  await clearScratch(layout.scratch, directory)
  const chain = await needChain(directory, 'volume')
  if (!chain.frozen) return chain
  await addLayer(layout, directory, chain)
  return needChain(directory, 'volume')
}

/** Puts an empty layer over the chain, unless there is one. */
export async function addLayer(layout: Layout, directory: string, chain: Chain): Promise<void> {
  await withAttempt(layout.scratch, directory, async (attempt) => {
    const overlay = await createOverlay(attempt, chain.top, chain.sizeBytes)
    // Not rename: if another attempt has put an overlay there and written to it, it must stay.
    await link(overlay, join(directory, basename(overlay))).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error
    })
  })
  await syncPath(directory)
}
