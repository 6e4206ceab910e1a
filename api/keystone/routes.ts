import type { App } from '../context.ts'
import { assignmentRoutes } from './assignment-routes.ts'
import { authRoutes } from './auth-routes.ts'
import { catalogRoutes } from './catalog-routes.ts'
import type { KeystoneContext } from './context.ts'
import { credentialRoutes } from './credential-routes.ts'
import { answerFaults } from './fault.ts'
import { projectRoutes } from './project-routes.ts'
import { openSessions } from './session.ts'
import { tokenRoutes } from './token-routes.ts'
import { userRoutes } from './user-routes.ts'
import { versionRoutes } from './versions.ts'

/** The Identity API v3, below /identity: as much of Keystone as its clients need. docs/identity.md lists it. */
export function keystoneRoutes(app: App, context: KeystoneContext): void {
  answerFaults(app, context)
  takeEmptyBodies(app)
  openSessions(app, context.database)
  versionRoutes(app, context)
  void app.register(
    async (scope) => {
      const v3 = scope as unknown as App
      tokenRoutes(v3, context)
      authRoutes(v3, context)
      userRoutes(v3, context)
      projectRoutes(v3, context)
      assignmentRoutes(v3, context)
      credentialRoutes(v3, context)
      catalogRoutes(v3, context)
    },
    { prefix: '/v3' },
  )
}

/** Some clients announce JSON and send none. */
function takeEmptyBodies(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body as string, done)
  })
}
