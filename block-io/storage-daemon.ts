/** How qemu's server is told what to serve, inside and outside of the sandbox. */
import { LIMITS } from '../domain/limits.ts'
import type { Blockdev } from './device.ts'

export const EXPORT_NAME = 'device'

/**
 * qemu allocates a buffer for each request. By default a large one is a mapping of its own, zeroed by the kernel and thrown away
 * again, which costs as much as reading and sending it: keeping all requests' worth of memory halves the server's processor time.
 */
export const SERVER_MALLOC = {
  MALLOC_ARENA_MAX: String(LIMITS.exportMallocArenas),
  MALLOC_MMAP_THRESHOLD_: String(LIMITS.nbdRequestsInFlight * LIMITS.nbdRequestBytes),
  MALLOC_TRIM_THRESHOLD_: String(2 * LIMITS.nbdRequestsInFlight * LIMITS.nbdRequestBytes),
}

export function storageDaemonArguments(blockdev: Blockdev, socketPath: string, writable = false): string[] {
  return [
    '--blockdev',
    JSON.stringify({ ...blockdev, 'node-name': 'node', 'read-only': !writable }),
    '--nbd-server',
    `addr.type=unix,addr.path=${socketPath}`,
    '--export',
    `type=nbd,id=export,node-name=node,name=${EXPORT_NAME},writable=${writable ? 'on' : 'off'}`,
  ]
}
