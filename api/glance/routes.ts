import type { ApiContext, App } from '../context.ts'
import { answerUnknownRoutes } from '../unknown-route.ts'
import { actionRoutes } from './actions.ts'
import { addParsers } from './bodies.ts'
import { downloadRoutes } from './download.ts'
import { answerFault } from './faults.ts'
import { imageRoutes } from './images.ts'
import { importRoutes } from './import.ts'
import { infoRoutes } from './info.ts'
import { memberRoutes } from './members.ts'
import { schemaRoutes } from './schemas.ts'
import { storeRoutes } from './stores.ts'
import { tagRoutes } from './tags.ts'
import { taskRoutes } from './tasks.ts'
import { uploadRoutes } from './upload.ts'
import { versionRoutes } from './versions.ts'

/** The Image API v2, below /image, as clients of Glance speak it. docs/images.md says what of it. */
export function glanceRoutes(app: App, context: ApiContext): void {
  app.setErrorHandler(answerFault)
  addParsers(app as never)
  // It is described by Glance's own reference, not by our OpenAPI document.
  app.addHook('onRoute', (route) => {
    route.schema = { ...route.schema, hide: true }
  })
  answerUnknownRoutes(app as never)
  versionRoutes(app, context)
  schemaRoutes(app)
  imageRoutes(app, context)
  uploadRoutes(app, context)
  downloadRoutes(app, context)
  importRoutes(app, context)
  actionRoutes(app, context)
  tagRoutes(app, context)
  memberRoutes(app, context)
  taskRoutes(app, context)
  infoRoutes(app, context)
  storeRoutes(app, context)
}
