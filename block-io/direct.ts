import type { BlockDevice, DeviceSpec } from './device.ts'

/** How a trusted device's bytes are reached without starting a server for it; undefined: only through one (serveDevice). */
export function directSpec({ plainFile, served, sizeBytes }: BlockDevice): DeviceSpec | undefined {
  if (plainFile !== undefined) return { kind: 'file', path: plainFile, sizeBytes }
  return served === undefined ? undefined : { ...served, sizeBytes }
}
