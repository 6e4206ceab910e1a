import { z } from 'zod'
import { changeBackendState } from '../../../database/cinder/backend-states.ts'
import type { ApiContext, App } from '../../context.ts'
import { quoted } from '../../validation-message.ts'
import { Fault } from '../fault.ts'
import { REFERENCE } from '../fields.ts'
import { backendOf } from '../hosts.ts'
import { queryOf } from '../list-query.ts'
import { minorOf, since } from '../microversion.ts'
import { serviceRows } from './service-rows.ts'

const ADMIN = { rule: 'admin' } as const
const tags = ['services']
const SERVICE = z.strictObject({
  host: REFERENCE,
  binary: REFERENCE.nullish(),
  service: REFERENCE.nullish(),
  disabled_reason: z.string().max(255).nullish(),
})
const HOST = z.looseObject({ host: REFERENCE.nullish(), cluster: REFERENCE.nullish() })

/** What the services are, and which of them get new volumes. */
export function serviceRoutes(app: App, context: ApiContext): void {
  app.get('/os-services', { config: ADMIN, schema: { tags, summary: 'List services' } }, async (request) => {
    const { host, binary, service } = queryOf(request)
    const wanted = binary ?? service
    const rows = await serviceRows(context)
    const shown = rows.filter(
      (row) =>
        (host === undefined || row.host === host || row.host.startsWith(`${host}@`)) &&
        (wanted === undefined || row.binary === wanted),
    )
    const minor = minorOf(request)
    return {
      services: shown.map(({ backend, ...row }) => ({
        ...row,
        ...(minor >= 7 ? { cluster: null } : {}),
        ...(minor >= 49 && backend !== undefined ? { backend_state: 'up' } : {}),
      })),
    }
  })
  switchRoutes(app, context)
  otherRoutes(app, context)
}

function switchRoutes(app: App, context: ApiContext): void {
  const change = async (body: z.infer<typeof SERVICE>, disabled: boolean, reason: string | null) => {
    const binary = body.binary ?? body.service ?? 'cinder-volume'
    const backend = requireBackend(context, body.host, binary)
    await changeBackendState(context.database, backend, {
      disabled: disabled ? 1 : 0,
      disabledReason: reason,
    })
    return { host: body.host, service: binary, binary, disabled, status: disabled ? 'disabled' : 'enabled' }
  }
  const options = (summary: string) => ({ config: ADMIN, schema: { tags, summary, body: SERVICE } })
  app.put('/os-services/enable', options('Let a backend have new volumes'), (request) =>
    change(request.body, false, null),
  )
  app.put('/os-services/disable', options('Let a backend have no new volumes'), (request) =>
    change(request.body, true, null),
  )
  app.put('/os-services/disable-log-reason', options('The same, and why'), async (request) => {
    const reason = request.body.disabled_reason?.trim() ?? ''
    if (reason === '') throw new Fault(400, 'Expected a disabled_reason, got none.')
    return { ...(await change(request.body, true, reason)), disabled_reason: reason }
  })
  for (const [name, frozen] of [
    ['freeze', 1],
    ['thaw', 0],
  ] as const) {
    const schema = { tags, summary: `Note that a backend is to ${name}`, body: HOST }
    app.put(`/os-services/${name}`, { config: ADMIN, schema }, async (request, reply) => {
      const backend = namedBackend(context, request.body.host)
      await changeBackendState(context.database, backend, { frozen })
      return reply.code(200).send()
    })
  }
}

function otherRoutes(app: App, context: ApiContext): void {
  for (const name of ['failover_host', 'failover']) {
    const schema = { tags, summary: 'Fail over to a replica', body: HOST }
    app.put(`/os-services/${name}`, { config: ADMIN, schema }, async (request) => {
      namedBackend(context, request.body.host)
      throw new Fault(400, 'Failover is not supported: no backend replicates.')
    })
  }
  const logs = { config: ADMIN, schema: { tags, summary: 'Levels of logs', body: z.looseObject({}) } }
  app.put('/os-services/set-log', logs, async (request, reply) => {
    since(request, 32)
    return reply.code(202).send()
  })
  app.put('/os-services/get-log', logs, async (request) => {
    since(request, 32)
    return { log_levels: [] }
  })
}

/** Throws a 404 for a service that there is not. */
function requireBackend({ places }: ApiContext, host: string, binary: string): string {
  const backend = backendOf(host)
  if (backend !== undefined && places.backends.includes(backend) && binary === 'cinder-volume') return backend
  throw new Fault(404, `Service ${binary} could not be found on host ${quoted(host)}.`)
}

/** For what concerns volume services alone; a host that there is not is a wrong request then, as in Cinder. */
function namedBackend({ places }: ApiContext, host: string | null | undefined): string {
  const backend = backendOf(host ?? '')
  if (backend !== undefined && places.backends.includes(backend)) return backend
  throw new Fault(400, `Service cinder-volume could not be found on host ${quoted(host ?? null)}.`)
}
