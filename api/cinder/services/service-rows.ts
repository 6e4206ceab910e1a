import { backendStates } from '../../../database/cinder/backend-states.ts'
import type { ApiContext } from '../../context.ts'
import { SERVICE_HOST, serviceOf } from '../hosts.ts'
import { cinderTime } from '../times.ts'

/** Our processes as Cinder names them: a scheduler, a backup service, and one volume service for each backend. */
export async function serviceRows({ database, places }: ApiContext) {
  const states = await backendStates(database)
  const common = { zone: 'nova', state: 'up', updated_at: cinderTime(new Date().toISOString()) }
  const enabled = { ...common, status: 'enabled', disabled_reason: null }
  return [
    { binary: 'cinder-scheduler', host: SERVICE_HOST, ...enabled, backend: undefined },
    { binary: 'cinder-backup', host: SERVICE_HOST, ...enabled, backend: undefined },
    ...places.backends.map((backend) => {
      const state = states.get(backend)
      return {
        binary: 'cinder-volume',
        host: serviceOf(backend),
        ...common,
        status: state?.disabled === 1 ? 'disabled' : 'enabled',
        disabled_reason: state?.disabledReason ?? null,
        replication_status: 'disabled',
        active_backend_id: null,
        frozen: state?.frozen === 1,
        backend,
      }
    }),
  ]
}
