import { listAssignments } from '../../database/identity/assignments.ts'
import { listRecords } from '../../database/identity/records.ts'
import type { App } from '../context.ts'
import { publicUrlOf } from '../public-url.ts'
import { catalog } from './catalog.ts'
import { type KeystoneContext, linkedTo, selfOf } from './context.ts'
import { requireSelf, sessionOf } from './session.ts'
import { ID_PARAMS } from './fields.ts'
import { listView, recordView } from './views.ts'

const hide = { schema: { hide: true } }

/** What one's own token is good for. */
export function authRoutes(app: App, context: KeystoneContext): void {
  app.get('/auth/catalog', hide, async (request) => {
    const { scope } = sessionOf(request)
    const projectId = scope?.type === 'project' ? scope.project.id : undefined
    return {
      catalog: catalog(publicUrlOf(context, request), projectId),
      links: { self: selfOf(context, request) },
    }
  })
  for (const type of ['project', 'domain'] as const)
    app.get(`/auth/${type}s`, hide, async (request) => {
      const items = await reachable(context, type, sessionOf(request).user.id)
      const views = items.map((item) => recordView(type, item, linkedTo(context, request)))
      return listView(`${type}s`, views, selfOf(context, request))
    })
  app.get('/auth/system', hide, async (request) => {
    const { user } = sessionOf(request)
    const rows = await listAssignments(context.database, { userId: user.id, scopeType: 'system' })
    return { system: rows.length > 0 ? [{ all: true }] : [], links: { self: selfOf(context, request) } }
  })
  app.get('/users/:id/projects', { schema: { params: ID_PARAMS, hide: true } }, async (request) => {
    requireSelf(request, request.params.id)
    const items = await reachable(context, 'project', request.params.id)
    const views = items.map((item) => recordView('project', item, linkedTo(context, request)))
    return listView('projects', views, selfOf(context, request))
  })
}

async function reachable({ database }: KeystoneContext, type: 'project' | 'domain', userId: string) {
  const rows = await listAssignments(database, { userId, scopeType: type })
  return listRecords(database, type, { ids: rows.map(({ scopeId }) => scopeId), enabled: true })
}
