import { createHash } from 'node:crypto'

const REGION = 'RegionOne'

const INTERFACES = ['public', 'internal', 'admin'] as const

/** Below our URL. Clients add versions themselves, but for block storage, whose endpoint names version and project. */
const SERVICES = [
  { type: 'identity', name: 'keystone', path: '/identity' },
  { type: 'image', name: 'glance', path: '/image' },
  { type: 'block-storage', name: 'cinder', path: '/volume/v3/$(project_id)s' },
  // What older clients ask for.
  { type: 'volumev3', name: 'cinderv3', path: '/volume/v3/$(project_id)s' },
  { type: 'block-store', name: 'cinder', path: '/volume/v3/$(project_id)s' },
] as const

const PROJECT = '$(project_id)s'

export function regions() {
  return [{ id: REGION, description: '', parent_region_id: null }]
}

export function services() {
  return SERVICES.map(({ type, name }) => ({
    id: idOf(type),
    type,
    name,
    description: '',
    enabled: true,
  }))
}

export function endpoints(publicUrl: string) {
  return SERVICES.flatMap((service) =>
    endpointsOf(service, publicUrl).map((endpoint) => ({
      ...endpoint,
      service_id: idOf(service.type),
      enabled: true,
    })),
  )
}

/** For a token; without a project there is no block storage. */
export function catalog(publicUrl: string, projectId: string | undefined) {
  return SERVICES.filter(({ path }) => projectId !== undefined || !path.includes(PROJECT)).map((service) => ({
    id: idOf(service.type),
    type: service.type,
    name: service.name,
    endpoints: endpointsOf(service, publicUrl).map(({ url, ...endpoint }) => ({
      ...endpoint,
      url: url.replace(PROJECT, encodeURIComponent(projectId ?? '')),
    })),
  }))
}

function endpointsOf({ type, path }: (typeof SERVICES)[number], publicUrl: string) {
  return INTERFACES.map((kind) => ({
    id: idOf(`${type}:${kind}`),
    interface: kind,
    region: REGION,
    region_id: REGION,
    url: `${publicUrl}${path}`,
  }))
}

/** The same in each process, without being stored. */
function idOf(name: string): string {
  return createHash('sha256').update(`volflow service ${name}`).digest('hex').slice(0, 32)
}
