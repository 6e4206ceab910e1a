import { allPromisedBytes, backendStates } from '../../../database/cinder/backend-states.ts'
import { GiB } from '../../../domain/sizes.ts'
import { backendCapabilities } from '../../../domain/backend-capabilities.ts'
import type { ApiContext, App } from '../../context.ts'
import { quoted } from '../../validation-message.ts'
import { Fault } from '../fault.ts'
import { booleanOf, NAME_PARAMS } from '../fields.ts'
import { backendOf, hostOf } from '../hosts.ts'
import { queryOf } from '../list-query.ts'
import { cinderTime } from '../times.ts'

const ADMIN = { rule: 'admin' } as const
const tags = ['pools']

/** Room in the backends, and what they can do. */
export function poolRoutes(app: App, context: ApiContext): void {
  app.get(
    '/scheduler-stats/get_pools',
    { config: ADMIN, schema: { tags, summary: 'List backends with their room' } },
    async (request) => {
      const query = queryOf(request)
      const isDetailed = booleanOf('detail', query.detail ?? 'false')
      const pools = await poolViews(context)
      const named = pools.filter(({ name }) => query.name === undefined || query.name === name)
      return {
        pools: named.map(({ name, capabilities }) => ({ name, ...(isDetailed ? { capabilities } : {}) })),
      }
    },
  )
  app.get(
    '/capabilities/:name',
    { config: ADMIN, schema: { tags, summary: 'Show what a backend can do', params: NAME_PARAMS } },
    async (request) => {
      const { name } = request.params
      const backend = backendOf(name)
      if (backend === undefined || !context.places.backends.includes(backend))
        throw new Fault(404, `Service cinder-volume could not be found on host ${quoted(name)}.`)
      return {
        namespace: `OS::Storage::Capabilities::${name}`,
        vendor_name: 'volflow',
        volume_backend_name: backend,
        pool_name: backend,
        driver_version: '1',
        storage_protocol: 'file',
        display_name: `Capabilities of backend ${backend}`,
        description: 'What the scheduler compares with the extra specs of volume types.',
        visibility: 'public',
        replication_targets: [],
        properties: {},
      }
    },
  )
}

async function poolViews({ database, places }: ApiContext) {
  const states = await backendStates(database)
  const promised = await allPromisedBytes(database)
  return places.backends.map((backend) => {
    const state = states.get(backend)
    const gib = (bytes: number | null | undefined) =>
      bytes == null ? 'unknown' : Math.round((bytes / GiB) * 100) / 100
    return {
      name: hostOf(backend),
      capabilities: {
        volume_backend_name: backend,
        pool_name: backend,
        reserved_percentage: 0,
        max_over_subscription_ratio: String(places.overcommitRatios?.[backend] ?? 1),
        total_capacity_gb: gib(state?.totalBytes),
        free_capacity_gb: gib(state?.freeBytes),
        provisioned_capacity_gb: gib(promised.get(backend) ?? 0),
        allocated_capacity_gb: gib(promised.get(backend) ?? 0),
        timestamp: cinderTime(state?.measuredAt ?? null),
        backend_state: 'up',
        ...(places.capabilities?.[backend] ?? backendCapabilities('file')),
      },
    }
  })
}
