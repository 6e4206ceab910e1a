import type { OpenDevice, DeviceSpec } from '../block-io/device.ts'
import { directSpec } from '../block-io/direct.ts'
import { serveDevice } from '../block-io/export.ts'
import type { ActivityDependencies } from './dependencies.ts'

/** Worker threads reach plain files themselves, and anything else over NBD. */
export async function withDevice<T>(
  deps: ActivityDependencies,
  device: OpenDevice,
  options: { signal: AbortSignal; writable?: boolean },
  work: (spec: DeviceSpec) => Promise<T>,
): Promise<T> {
  try {
    const direct = directSpec(device)
    if (direct !== undefined) return await work(direct)
    const served = await serveDevice(device, { socketDirectory: deps.runFolder, confined: false, ...options })
    try {
      return await work(served.spec)
    } finally {
      await served.close()
    }
  } finally {
    await device.close()
  }
}
