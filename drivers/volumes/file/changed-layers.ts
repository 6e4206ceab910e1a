/**
 * Two chains begin with the same layers, and every byte that none of the others has is the same in both. So it does not matter which
 * of the two is older, nor what the volume was reverted to between them.
 */
import { stat } from 'node:fs/promises'
import type { ByteRange } from '../../../block-io/device.ts'
import { allocatedRanges } from '../../../block-io/map.ts'
import type { ChangedRanges } from '../driver.ts'
import { needChain } from './checks.ts'
import { blockdevOf, type Layer, type Layers, sizeOfLayer } from './layers.ts'

interface FrozenLayer {
  readonly layer: Layer
  readonly inode: bigint
  readonly modifiedMs: number
}

/** Times that a merge has put back are not exact to the nanosecond. */
const TIME_TOLERANCE_MS = 2

interface FrozenChain {
  readonly layers: readonly FrozenLayer[]
  /** A layer that was written since the chain was put together: the snapshot does not hold what it held. */
  readonly isWritten: boolean
}

export async function changedLayers(from: string, to: string, signal?: AbortSignal): Promise<ChangedRanges> {
  const [a, b] = [await readFrozen(from), await readFrozen(to)]
  const shared = sharedLayers(a, b)
  if (shared === 0) return { unknown: 'the volume was replaced: the snapshots have no layer in common' }
  const ranges = [
    ...(await allocatedIn(a.layers.slice(shared), signal)),
    ...(await allocatedIn(b.layers.slice(shared), signal)),
  ]
  // A merge may have been under way.
  const [again, bAgain] = [await readFrozen(from), await readFrozen(to)]
  if (!isSame(a, again) || !isSame(b, bAgain)) return { unknown: 'layers were merged meanwhile' }
  if (again.isWritten || bAgain.isWritten) {
    return { unknown: 'somebody wrote into a layer that a snapshot needs, past volflow' }
  }
  return { ranges }
}

async function readFrozen(directory: string): Promise<FrozenChain> {
  const { layers } = await needChain(directory, 'snapshot')
  const frozen = await Promise.all(
    layers.map(async (layer) => {
      const { ino, mtimeMs } = await stat(layer.path, { bigint: true })
      return { layer, inode: ino, modifiedMs: Number(mtimeMs) }
    }),
  )
  const { mtimeMs: linkedMs } = await stat(directory)
  return {
    layers: frozen,
    isWritten: frozen.some(({ modifiedMs }) => modifiedMs > linkedMs + TIME_TOLERANCE_MS),
  }
}

function sharedLayers(a: FrozenChain, b: FrozenChain): number {
  const different = a.layers.findIndex(({ inode }, index) => inode !== b.layers[index]?.inode)
  return different === -1 ? a.layers.length : different
}

function isSame(a: FrozenChain, b: FrozenChain): boolean {
  const describe = ({ layers }: FrozenChain) =>
    layers.map(({ inode, modifiedMs }) => `${inode}@${modifiedMs}`).join()
  return describe(a) === describe(b)
}

/** By these layers alone: the one below them is shared. */
async function allocatedIn(frozen: readonly FrozenLayer[], signal?: AbortSignal): Promise<ByteRange[]> {
  const [lowest, ...above] = frozen.map(({ layer }) => layer)
  if (lowest === undefined) return []
  const layers: Layers = [lowest, ...above]
  const lengthBytes = await sizeOfLayer(above.at(-1) ?? lowest)
  return allocatedRanges(blockdevOf(layers, 0), lengthBytes, signal === undefined ? {} : { signal })
}
