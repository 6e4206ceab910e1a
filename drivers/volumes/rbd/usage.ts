import { DriverError } from '../../../domain/errors.ts'
import { ceph, rbdJson } from './commands.ts'
import { type RbdPlace, specOf } from './place.ts'

interface PoolUsage {
  readonly name: string
  readonly stats: { readonly stored: number; readonly max_avail: number; readonly quota_bytes: number }
}

/** What the image, or the snapshot, has itself: from the map of its objects where it has one. */
export async function usedBytes(place: RbdPlace, image: string, snapshot?: string): Promise<number> {
  const { images } = await rbdJson<{ images: { snapshot?: string; used_size: number }[] }>(place, [
    ...['du', specOf(place, image, snapshot)],
  ])
  return images.find((one) => one.snapshot === snapshot)?.used_size ?? 0
}

/** Of the pool with the data. A quota is a smaller pool. */
export async function capacityOf(place: RbdPlace): Promise<{ totalBytes: number; freeBytes: number }> {
  const pool = place.dataPool ?? place.pool
  const { pools } = JSON.parse(await ceph(place, ['df', 'detail', '--format', 'json'])) as {
    pools: PoolUsage[]
  }
  const stats = pools.find(({ name }) => name === pool)?.stats
  if (stats === undefined) throw new DriverError('transient', `Expected pool ${pool} to exist, it does not`)
  const { stored, max_avail: available, quota_bytes: quota } = stats
  const freeBytes = quota === 0 ? available : Math.max(0, Math.min(available, quota - stored))
  return { totalBytes: stored + freeBytes, freeBytes }
}
