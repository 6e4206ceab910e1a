import { RequestError } from '../../domain/errors.ts'
import type { ApiContext, App } from '../context.ts'
import { callerInProject } from '../identity/caller.ts'
import { attachmentRoutes } from './attachments/routes.ts'
import { backupRoutes } from './backups/routes.ts'
import { answerFault } from './fault.ts'
import { negotiateMicroversion } from './microversion.ts'
import { projectOf } from './path.ts'
import { aboutRoutes } from './services/about.ts'
import { hostRoutes } from './services/hosts.ts'
import { messageRoutes } from './services/messages.ts'
import { poolRoutes } from './services/pools.ts'
import { quotaRoutes } from './services/quotas.ts'
import { serviceRoutes } from './services/routes.ts'
import { snapshotRoutes } from './snapshots/routes.ts'
import { transferRoutes } from './transfers/routes.ts'
import { defaultTypeRoutes } from './types/default-types.ts'
import { typeRoutes } from './types/routes.ts'
import { unspokenRoutes } from './unspoken.ts'
import { versionRoutes } from './versions.ts'
import { volumeManageRoutes } from './volumes/manage.ts'
import { volumeRoutes } from './volumes/routes.ts'

/** Cinder's block storage API v3, below /volume. What is spoken, docs/openstack.md says. */
export function cinderRoutes(app: App, context: ApiContext): void {
  app.setErrorHandler(answerFault)
  app.setNotFoundHandler(() => {
    throw new RequestError(404, 'routeNotFound', 'The resource could not be found.')
  })
  takeEmptyBodies(app)
  app.addHook('onRequest', negotiateMicroversion)
  app.addHook('onRequest', async (request) => {
    const project = projectOf(request.originalUrl)
    if (project !== undefined && request.routeOptions.config.public !== true)
      callerInProject(request, project)
  })
  versionRoutes(app, context)
  void app.register(async (scope) => v3Routes(scope as unknown as App, context), { prefix: '/v3' })
}

function v3Routes(app: App, context: ApiContext): void {
  volumeRoutes(app, context)
  volumeManageRoutes(app, context)
  snapshotRoutes(app, context)
  backupRoutes(app, context)
  typeRoutes(app, context)
  defaultTypeRoutes(app, context)
  transferRoutes(app, context)
  attachmentRoutes(app, context)
  messageRoutes(app, context)
  serviceRoutes(app, context)
  hostRoutes(app, context)
  poolRoutes(app, context)
  aboutRoutes(app)
  quotaRoutes(app, context)
  unspokenRoutes(app)
}

/** Clients announce JSON also where they send nothing. */
function takeEmptyBodies(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body as string, done)
  })
}
