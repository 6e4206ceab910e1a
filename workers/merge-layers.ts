import type { ActivityDependencies } from '../activities/dependencies.ts'
import { dueVolumes, forgetMergeable } from '../database/operations/layers.ts'
import { requestMerge } from '../database/requests/merge-layers.ts'

/** Where deleted snapshots leave layers, starts the merge of those of one volume of each backend; elsewhere there is nothing to do. */
export async function startMerges({
  database,
  backends,
}: Pick<ActivityDependencies, 'database' | 'backends'>): Promise<void> {
  for (const [name, driver] of backends) {
    if (driver.compactVolume !== undefined) await requestMerge(database, name, Date.now())
    else await forgetMergeable(database, await dueVolumes(database, name, Date.now()))
  }
}
