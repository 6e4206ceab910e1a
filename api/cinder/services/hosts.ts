import { backendContents, type Sized } from '../../../database/cinder/backend-contents.ts'
import type { ApiContext, App } from '../../context.ts'
import { quoted } from '../../validation-message.ts'
import { Fault } from '../fault.ts'
import { NAME_PARAMS } from '../fields.ts'
import { backendOf } from '../hosts.ts'
import { gibOf } from '../volumes/view.ts'
import { serviceRows } from './service-rows.ts'

const ADMIN = { rule: 'admin' } as const
const tags = ['services']

/** The services once more, as Cinder had them before `os-services`, and what there is on one of them. */
export function hostRoutes(app: App, context: ApiContext): void {
  app.get('/os-hosts', { config: ADMIN, schema: { tags, summary: 'List hosts' } }, async () => ({
    hosts: (await serviceRows(context)).map(({ binary, host, zone, status, updated_at: updatedAt }) => ({
      ...{ service: binary, host_name: host, zone, 'service-state': status },
      ...{ 'service-status': 'available', 'last-update': updatedAt },
    })),
  }))
  app.get(
    '/os-hosts/:name',
    { config: ADMIN, schema: { tags, summary: 'Show what is on a host', params: NAME_PARAMS } },
    async (request) => {
      const { name } = request.params
      const backend = backendOf(name)
      if (backend === undefined || !context.places.backends.includes(backend))
        throw new Fault(404, `Host ${quoted(name)} could not be found.`)
      const { volumes, snapshots } = await backendContents(context.database, backend)
      const projects = new Set([...volumes, ...snapshots].map(({ projectId }) => projectId))
      const total = { host: name, project: '(total)', ...sums(volumes, snapshots) }
      const each = [...projects].map((project) => {
        const own = (all: readonly Sized[]) => all.filter(({ projectId }) => projectId === project)
        return { host: name, project, ...sums(own(volumes), own(snapshots)) }
      })
      return { host: [total, ...each].map((resource) => ({ resource })) }
    },
  )
}

/** Cinder writes these numbers as text. */
function sums(volumes: readonly Sized[], snapshots: readonly Sized[]) {
  const gib = (all: readonly Sized[]) => String(all.reduce((sum, { sizeBytes }) => sum + gibOf(sizeBytes), 0))
  return {
    volume_count: String(volumes.length),
    total_volume_gb: gib(volumes),
    snapshot_count: String(snapshots.length),
    total_snapshot_gb: gib(snapshots),
  }
}
