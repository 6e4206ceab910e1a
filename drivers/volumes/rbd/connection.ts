import type { ConnectionInfo } from '../../../domain/connections.ts'
import { ceph } from './commands.ts'
import { type RbdPlace, specOf } from './place.ts'

interface MonitorMap {
  readonly fsid: string
  readonly mons: readonly { readonly addr: string }[]
}

/**
 * What Cinder's driver tells a compute service (cinder/volume/drivers/rbd.py: initialize_connection): the monitors, and under which
 * id libvirt has the user's key.
 */
export async function connectionInfoOf(
  place: RbdPlace,
  volumeId: string,
  image: string,
): Promise<ConnectionInfo> {
  const { fsid, mons } = JSON.parse(await ceph(place, ['mon', 'dump', '--format', 'json'])) as MonitorMap
  const monitors = mons.map(({ addr }) => hostAndPort(addr))
  return {
    driverVolumeType: 'rbd',
    data: {
      name: specOf(place, image),
      hosts: monitors.map(([host]) => host),
      ports: monitors.map(([, port]) => port),
      cluster_name: 'ceph',
      auth_enabled: true,
      auth_username: place.user,
      secret_type: 'ceph',
      secret_uuid: place.secretUuid ?? fsid,
      volume_id: volumeId,
      keyring: null,
    },
  }
}

/** Of `127.0.0.1:6789/0` or `[::1]:6789/0`. */
function hostAndPort(address: string): [string, string] {
  const [, host = '', port = ''] = /^\[?(.+?)\]?:(\d+)\/\d+$/.exec(address) ?? []
  return [host, port]
}
