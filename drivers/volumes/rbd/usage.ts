import { DriverError } from '../../../domain/errors.ts'
import { ceph } from './commands.ts'
import type { RbdPlace } from './place.ts'

interface PoolUsage {
  readonly name: string
  readonly stats: { readonly stored: number; readonly max_avail: number; readonly quota_bytes: number }
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
