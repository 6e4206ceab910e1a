import type { VolumeDriver } from './driver.ts'
import { openFileVolumeDriver } from './file/file-volume-driver.ts'
import type { RbdConfig } from './rbd/place.ts'
import { openRbdVolumeDriver } from './rbd/rbd-volume-driver.ts'

/**
 * What the configuration says about one backend. `path`: the directory, on this host. `guestSockets`: the folder of the QMP sockets of
 * the guests that use its volumes.
 */
export type VolumeDriverConfig = FileConfig | RbdConfig

interface FileConfig {
  readonly driver: 'file'
  readonly path: string
  readonly guestSockets?: string | undefined
}

/** `socketDirectory`: an existing folder for sockets of servers, with a short path; the system's own for temporary files unless told. */
export function openVolumeDriver(
  config: VolumeDriverConfig,
  socketDirectory?: string,
): Promise<VolumeDriver> {
  switch (config.driver) {
    case 'file':
      return openFileVolumeDriver(config.path, { socketFolder: config.guestSockets })
    case 'rbd':
      return openRbdVolumeDriver(config, socketDirectory)
  }
}
