import { MiB } from '../../domain/sizes.ts'
import { imageUsage } from '../../database/images/usage.ts'
import type { ApiContext, App } from '../context.ts'
import { callerOf } from '../identity/caller.ts'
import { IMPORT_METHODS } from './import-methods.ts'

/** What this service offers, and what a project uses of it. */
export function infoRoutes(app: App, context: ApiContext): void {
  const { places, imageStores } = context
  const stores = () => places.stores.map((id, index) => ({ id, ...(index === 0 ? { default: 'true' } : {}) }))
  app.get('/v2/info/import', async () => ({
    'import-methods': {
      description: 'Import methods available.',
      type: 'array',
      value: IMPORT_METHODS,
    },
  }))
  app.get('/v2/info/stores', async () => ({ stores: stores() }))
  app.get('/v2/info/stores/detail', { config: { rule: 'admin' } }, async () => ({
    stores: stores().map((store) => ({
      ...store,
      type: imageStores.get(store.id)?.kind ?? 'unknown',
      properties: {},
    })),
  }))
  app.get('/v2/info/usage', async (request) => {
    const usage = await imageUsage(context.database, callerOf(request).projectId)
    const unlimited = (used: number) => ({ limit: -1, usage: used })
    return {
      usage: {
        image_size_total: unlimited(Math.ceil(usage.sizeBytes / MiB)),
        image_stage_total: unlimited(Math.ceil(usage.stagedBytes / MiB)),
        image_count_total: unlimited(usage.images),
        image_count_uploading: unlimited(usage.uploading),
      },
    }
  })
}
