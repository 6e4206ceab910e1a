import type { ActivityDependencies } from '../activities/dependencies.ts'
import { abandonUpload, expiredUploads } from '../database/requests/uploads.ts'
import { LIMITS } from '../domain/limits.ts'

/** Uploads whose client or API process is gone: removes their bytes, and the image waits for another upload. */
export async function clearExpiredUploads(
  deps: Pick<ActivityDependencies, 'database' | 'stores'>,
): Promise<void> {
  for (const upload of await expiredUploads(deps.database, LIMITS.dispatchBatch)) {
    await deps.stores.get(upload.store)?.discardStage(upload.imageId)
    await abandonUpload(deps.database, upload)
  }
}
