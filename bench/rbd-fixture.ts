/** volflow over the pools of a real Ceph cluster of one OSD, in which nobody else does anything. */
import { randomFillSync } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { directSpec } from '../block-io/direct.ts'
import { openWriter } from '../block-io/writer.ts'
import { openVolumeDriver } from '../drivers/volumes/registry.ts'
import type { Target } from '../scripts/demo/installation.ts'
import { type CephCluster, startCephCluster } from '../scripts/ceph/cluster.ts'
import { Product } from './product.ts'

const POOL = 'volumes'
/** The OSD counts a read when it has answered. */
const COUNTED_MS = 1_000

type Fill = (offset: number, into: Buffer) => Promise<void>

export interface RbdFixture extends AsyncDisposable {
  readonly cluster: CephCluster
  readonly product: Product
  /** `pool/image` of a volume. */
  imageOf(volumeId: string): string
  /** Bytes at each of these places: new ones unless `fill` has others. */
  write(volumeId: string, offsets: readonly number[], lengthBytes: number, fill?: Fill): Promise<void>
  /** What the OSD has sent to its clients, since it began. */
  readBytes(): Promise<number>
}

export async function startRbdFixture(
  folder: string,
  signal: AbortSignal,
  targets: Readonly<Record<string, Target>> = {
    local: { driver: 'directory', path: join(folder, 'target') },
  },
): Promise<RbdFixture> {
  await using stack = new AsyncDisposableStack()
  const cluster = await startCephCluster()
  stack.defer(() => cluster.stop())
  const { user, confFile, keyringFile } = cluster
  const place = (pool: string) => ({ driver: 'rbd', pool, user, confFile, keyringFile }) as const
  const product = stack.use(
    await Product.start(
      folder,
      signal,
      { ...targets, pool: place('backups') },
      {
        backend: place(POOL),
        config: { stores: { images: place('images') } },
      },
    ),
  )
  const owned = stack.move()
  return {
    cluster,
    product,
    imageOf: (volumeId) => `${POOL}/volume-${volumeId}`,
    write: async (volumeId, offsets, lengthBytes, fill = newBytes) =>
      write(product, folder, { volumeId, offsets, lengthBytes, fill }),
    readBytes: async () => {
      await sleep(COUNTED_MS, undefined, { signal })
      const counters = JSON.parse(await cluster.admin('ceph', ['tell', 'osd.0', 'perf', 'dump', 'osd'])) as {
        osd: { op_r_out_bytes: number }
      }
      return counters.osd.op_r_out_bytes
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface Writing {
  readonly volumeId: string
  readonly offsets: readonly number[]
  readonly lengthBytes: number
  readonly fill: Fill
}

function newBytes(_offset: number, into: Buffer): Promise<void> {
  return Promise.resolve(void randomFillSync(into))
}

async function write(
  product: Product,
  folder: string,
  { volumeId, offsets, lengthBytes, fill }: Writing,
): Promise<void> {
  if (product.backend === undefined) throw new Error('Expected a backend of its own')
  const driver = await openVolumeDriver(product.backend, folder)
  const device = await driver.openVolume({ volumeId, access: 'write' })
  const spec = directSpec(device)
  if (spec === undefined) throw new Error('Expected a device that can be written')
  const writer = await openWriter(spec)
  try {
    const bytes = Buffer.alloc(lengthBytes)
    for (const offset of offsets) {
      await fill(offset, bytes)
      await writer.write(bytes, offset)
    }
    await writer.flush()
  } finally {
    await writer.close()
    await device.close()
  }
}
