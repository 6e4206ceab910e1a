import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { LIMITS } from '../../domain/limits.ts'
import { openVolumeDriver } from '../../drivers/volumes/registry.ts'
import { restoreSha256 } from '../checker/repository/restore.ts'
import { writePattern } from '../drivers/volumes/device-bytes.ts'
import type { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume } from './steps.ts'

const SIZE_BYTES = 40 * MiB

/** A volume that was written and backed up so many times, each backup with the bytes of its time, and its layers as few as they may be. */
export async function chainOfBackups(installation: Installation, backups: number): Promise<string> {
  const { client, dataFolder } = installation
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ sizeBytes: SIZE_BYTES }))
  const backend = await openVolumeDriver({ driver: 'file', path: join(dataFolder, 'volumes') })
  const { backupKeyFile, targets } = installation.checked()
  if (targets.local === undefined) throw new Error('Expected a target')
  for (let index = 0; index < backups; index++) {
    const device = await backend.openVolume({ volumeId, access: 'write' })
    await writePattern(device, { byte: index + 1, offset: (index % 39) * MiB, length: 2 * MiB })
    await device.close()
    const sha256 = await sha256OfVolume(installation, volumeId)
    const done = await ended(installation, client.createBackup({ volumeId, incremental: index > 0 }))
    expect(done.result).toMatchObject(index > 0 ? { path: 'incremental', scan: 'changed' } : { path: 'full' })
    const key = { target: targets.local, backupKeyFile, domain: 'default', backupId: done.resourceId }
    expect(await restoreSha256(key)).toBe(sha256)
    expect((await layersOf(installation, volumeId)).length).toBeLessThanOrEqual(LIMITS.layerDepthMax)
  }
  return volumeId
}

export async function layersOf(installation: Installation, volumeId: string): Promise<string[]> {
  return readdir(installation.volumeFolder(volumeId))
}
