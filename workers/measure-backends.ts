import { changeBackendState } from '../database/cinder/backend-states.ts'
import type { ActivityDependencies } from '../activities/dependencies.ts'

/** Writes down how much room each backend has: new volumes go where it is. */
export async function measureBackends({
  database,
  backends,
}: Pick<ActivityDependencies, 'database' | 'backends'>): Promise<void> {
  for (const [backend, driver] of backends) {
    const { totalBytes, freeBytes } = await driver.capacity()
    await changeBackendState(database, backend, {
      totalBytes,
      freeBytes,
      measuredAt: new Date().toISOString(),
    })
  }
}
