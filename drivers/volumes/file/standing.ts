/** How a volume stands that a guest has open: which of its layers the guest writes, and that it is the right one. */
import { open, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { z } from 'zod'
import type { QmpClient } from '../../../block-io/qmp/client.ts'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { needChain } from './checks.ts'
import { syncPath } from './durable.ts'
import type { GuestNode } from '../guest.ts'
import { nodesOf } from './guest-nodes.ts'
import { holdersOf } from './holders.ts'
import type { Chain, Layer } from './layers.ts'
import type { Layout } from './layout.ts'
import { clearScratch } from './scratch.ts'
import { isOpenForWriting } from './writers.ts'

/** Of a qcow2 header: entries of the first-level table (4 bytes), and where it is (8 bytes). All zero: no data in the file. */
const L1_OFFSET = 36
const L1_ENTRY_BYTES = 8

export interface Standing {
  /** Of the volume's directory. */
  readonly chain: Chain
  /** By the paths of the layers. */
  readonly nodes: ReadonlyMap<string, GuestNode>
  /** The layer that the guest writes, and its node. Undefined: it does not have the volume open for writing. */
  readonly active: (Layer & { readonly nodeName: string }) | undefined
}

export async function standingOf(monitor: QmpClient, directory: string): Promise<Standing> {
  const chain = await needChain(directory, 'volume')
  const nodes = await nodesOf(monitor, directory)
  // A snapshot makes the layer read-only that it freezes: of several writable ones, those above are not in use yet.
  for (const layer of chain.layers) {
    const node = nodes.get(layer.path)
    if (node?.readOnly === false) return { chain, nodes, active: { ...layer, nodeName: node.name } }
  }
  return { chain, nodes, active: undefined }
}

/**
 * As `standingOf`, for somebody who is about to change something: the guest writes the volume's top layer, which is the volume's own.
 * Layers that a snapshot had put on top for a guest that never got to use them are removed, and nodes of merged layers.
 */
export async function settledStanding(
  layout: Layout,
  monitor: QmpClient,
  directory: string,
): Promise<Standing> {
  await clearScratch(layout.scratch, directory)
  const standing = await standingOf(monitor, directory)
  const { chain, nodes, active } = standing
  if (active === undefined) return standing
  const paths = new Set(chain.layers.map(({ path }) => path))
  for (const [path, node] of nodes) if (!paths.has(path)) await removeNode(monitor, node)
  const above = chain.layers.filter(({ depth }) => depth > active.depth)
  for (const layer of above.toReversed()) await removeUnused(monitor, standing, layer)
  const holders = await holdersOf([layout.volumes, layout.snapshots], active.path)
  if (holders.length > 1) throw staleGuest(directory, active, 'a snapshot shares it')
  return above.length === 0 ? standing : standingOf(monitor, directory)
}

async function removeNode(monitor: QmpClient, node: GuestNode | undefined): Promise<void> {
  if (node !== undefined) await monitor.execute('blockdev-del', { 'node-name': node.name }, z.unknown())
}

export function notOpen(directory: string, guest: string): DriverError {
  return new DriverError(
    'inUse',
    `Expected guest ${guest} to have volume ${basename(directory)} open, to which it is attached. Start the guest, or detach the volume, and try again.`,
  )
}

async function removeUnused(monitor: QmpClient, { nodes }: Standing, layer: Layer): Promise<void> {
  const directory = dirname(layer.path)
  if (!(await isEmpty(layer)))
    throw staleGuest(directory, layer, 'it has data, and the guest writes below it')
  await removeNode(monitor, nodes.get(layer.path))
  if (await isOpenForWriting([layer.path])) throw staleGuest(directory, layer, 'somebody else writes it')
  await rm(layer.path)
  await syncPath(directory)
}

function staleGuest(directory: string, layer: Layer, what: string): DriverError {
  return new DriverError(
    'inUse',
    `Expected the guest to write the newest layer of volume ${basename(directory)}, but of ${basename(layer.path)}: ${what}. ` +
      'It was started with an old connection: stop it, and start it with the one that attaching the volume again shows.',
  )
}

async function isEmpty({ path, format }: Layer): Promise<boolean> {
  if (format === 'raw') return (await stat(path)).blocks === 0
  await using handle = await open(path, 'r')
  const header = Buffer.alloc(12)
  await handle.read(header, 0, header.length, L1_OFFSET)
  const tableBytes = header.readUInt32BE(0) * L1_ENTRY_BYTES
  if (tableBytes > LIMITS.inspectorTableBytes) return false
  const table = Buffer.alloc(tableBytes)
  await handle.read(table, 0, table.length, Number(header.readBigUInt64BE(4)))
  return table.every((byte) => byte === 0)
}
