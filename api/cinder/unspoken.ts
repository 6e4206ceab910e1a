/** What other Cinders have and this one has not: lists are empty, nothing is found, and nothing is made. */
import type { FastifyRequest } from 'fastify'
import type { App } from '../context.ts'
import { requireAllowed } from '../identity/caller.ts'
import { Fault } from './fault.ts'
import { since } from './microversion.ts'

interface Unspoken {
  readonly path: string
  /** Of the list. */
  readonly name: string
  readonly what: string
  readonly since?: number
  readonly rule?: 'admin'
  readonly isDetailed?: true
}

const UNSPOKEN: readonly Unspoken[] = [
  { path: 'qos-specs', name: 'qos_specs', what: 'QoS specs', rule: 'admin' },
  { path: 'groups', name: 'groups', what: 'Group', since: 13, isDetailed: true },
  { path: 'group_snapshots', name: 'group_snapshots', what: 'GroupSnapshot', since: 14, isDetailed: true },
  { path: 'group_types', name: 'group_types', what: 'Group type', since: 11 },
  { path: 'consistencygroups', name: 'consistencygroups', what: 'ConsistencyGroup', isDetailed: true },
  { path: 'cgsnapshots', name: 'cgsnapshots', what: 'CgSnapshot', isDetailed: true },
  { path: 'clusters', name: 'clusters', what: 'Cluster', since: 7, rule: 'admin', isDetailed: true },
  {
    path: 'manageable_snapshots',
    name: 'manageable-snapshots',
    what: 'Snapshot',
    since: 8,
    rule: 'admin',
    isDetailed: true,
  },
]

export function unspokenRoutes(app: App): void {
  for (const one of UNSPOKEN) {
    const schema = { tags: ['not spoken'], summary: `${one.what}: there are none` }
    const check = (request: FastifyRequest) => {
      since(request, one.since ?? 0)
      requireAllowed(request, one.rule ?? 'read')
    }
    const list = async (request: FastifyRequest) => {
      check(request)
      return { [one.name]: [] }
    }
    app.get(`/${one.path}`, { schema }, list)
    if (one.isDetailed === true) app.get(`/${one.path}/detail`, { schema }, list)
    app.post(`/${one.path}`, { schema }, async (request) => {
      check(request)
      throw new Fault(400, `${one.what}: not supported by the backends of this service.`)
    })
    const missing = async (request: FastifyRequest) => {
      check(request)
      const { id } = request.params as { id: string }
      throw new Fault(404, `${one.what} ${id} could not be found.`)
    }
    for (const method of ['GET', 'PUT', 'DELETE'] as const)
      app.route({ method, url: `/${one.path}/:id`, schema, handler: missing })
    app.post(`/${one.path}/:id/action`, { schema }, missing)
  }
}
