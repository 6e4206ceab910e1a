import type { VolumeDriver } from './driver.ts'
import { openFileVolumeDriver } from './file/file-volume-driver.ts'

/**
 * What the configuration says about one backend. `path`: the directory, on this host. `guestSockets`: the folder of the QMP sockets of
 * the guests that use its volumes.
 */
export interface VolumeDriverConfig {
  readonly driver: 'file'
  readonly path: string
  readonly guestSockets?: string | undefined
}

export function openVolumeDriver(config: VolumeDriverConfig): Promise<VolumeDriver> {
  switch (config.driver) {
    case 'file':
      return openFileVolumeDriver(config.path, { socketFolder: config.guestSockets })
  }
}
