import swagger from '@fastify/swagger'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { LIMITS } from '../domain/limits.ts'
import { requestIdOf } from './actor.ts'
import { withoutProject } from './cinder/path.ts'
import { cinderRoutes } from './cinder/routes.ts'
import type { ApiContext, App } from './context.ts'
import type { ApiDependencies } from './dependencies.ts'
import { Dispatches } from './dispatches.ts'
import { docsRoutes } from './docs.ts'
import { answerClientError, answerError } from './error-answer.ts'
import { glanceRoutes } from './glance/routes.ts'
import { guardOrigin } from './guards.ts'
import { healthRoutes } from './health.ts'
import { HttpError } from './http-error.ts'
import { authenticateCallers } from './identity/authenticate.ts'
import { keystoneRoutes } from './keystone/routes.ts'
import { nativeRoutes } from './native/routes.ts'
import { OPENAPI_OPTIONS } from './openapi.ts'
import { endSilentConnections } from './silent-connections.ts'
import { EventBell } from './streams/event-bell.ts'
import { answerUnknownRoutes } from './unknown-route.ts'

/** The HTTP server, not yet listening. Closing it ends watchers and uploads; the latter leave their images `queued`. */
export function createApi(deps: ApiDependencies): FastifyInstance {
  const app: App = Fastify({
    loggerInstance: deps.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIdOf,
    bodyLimit: LIMITS.requestBodyBytes,
    clientErrorHandler: answerClientError,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: LIMITS.nameLengthMax },
    rewriteUrl: ({ url = '/' }) => withoutProject(url),
  }).withTypeProvider<ZodTypeProvider>()
  const closing = new AbortController()
  const dispatches = new Dispatches(deps)
  const context: ApiContext = {
    ...deps,
    dispatches,
    bell: new EventBell(deps.database, deps.logger),
    closing: closing.signal,
  }

  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(answerError)
  app.removeContentTypeParser('text/plain')
  guardOrigin(app, deps.allowedHosts ?? [])
  answerUnknownRoutes(app)
  logRequests(app)
  authenticateCallers(app, deps)
  endSilentConnections(app, closing.signal)
  app.addHook('preClose', async () =>
    closing.abort(new HttpError(503, 'closing', 'The service is being stopped.')),
  )
  app.addHook('onClose', () => dispatches.drain())

  void app.register(swagger, OPENAPI_OPTIONS)
  void app.register(async (scope) => {
    healthRoutes(scope as unknown as App, context)
    docsRoutes(scope as unknown as App)
  })
  void app.register(async (scope) => nativeRoutes(scope as unknown as App, context), {
    prefix: '/operations/v1',
  })
  void app.register(async (scope) => glanceRoutes(scope as unknown as App, context), { prefix: '/image' })
  if (deps.servesIdentity === true)
    void app.register(async (scope) => keystoneRoutes(scope as unknown as App, context), {
      prefix: '/identity',
    })
  void app.register(async (scope) => cinderRoutes(scope as unknown as App, context), { prefix: '/volume' })
  return app as unknown as FastifyInstance
}

/** One line per request: what changes something or fails is worth reading, the rest only when debugging. */
function logRequests(app: App): void {
  app.addHook('onSend', async (request, reply) => {
    void reply.header('x-openstack-request-id', request.id)
    void reply.header('x-content-type-options', 'nosniff')
    void reply.header('cache-control', 'no-store')
  })
  app.addHook('onResponse', async (request, reply) => {
    const { method, url } = request
    const level = method === 'GET' && reply.statusCode < 400 ? 'debug' : 'info'
    request.log[level](
      { method, url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
      'request',
    )
  })
}
