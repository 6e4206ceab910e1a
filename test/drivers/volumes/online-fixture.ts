/** A volume of the file driver that a qemu-storage-daemon in the place of a guest has open. */
import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MiB } from '../../../domain/sizes.ts'
import type { SnapshotRef } from '../../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { startStorageDaemonGuest } from '../../support/storage-daemon-guest.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { writesIn } from '../../support/write-log.ts'
import { readAll } from './device-bytes.ts'

export const SIZE = 2 * MiB
export const guest = 'vm-1'

export type Online = Awaited<ReturnType<typeof openOnline>>

export async function openOnline() {
  const config = { driver: 'file', path: await tempDir(), guestSockets: await tempDir() } as const
  const driver = await openVolumeDriver(config)
  const volumeId = randomUUID()
  await driver.createVolume({ volumeId, sizeBytes: SIZE })
  return {
    config,
    driver,
    volumeId,
    newRef: (): SnapshotRef => ({ volumeId, snapshotId: randomUUID() }),
    start: async (written = 0) => {
      const { blockdev } = await driver.attachVolume({ volumeId, guest })
      return startStorageDaemonGuest({ name: guest, socketFolder: config.guestSockets, blockdev, written })
    },
    layers: async () => (await readdir(join(config.path, 'volumes', volumeId))).toSorted(),
    scratch: () => readdir(join(config.path, 'scratch')),
    /** Numbers of writes after which the volume and its snapshot look as they do. */
    volumeWrites: async () => writesIn(await readAll(await driver.openVolume({ volumeId, access: 'read' }))),
    snapshotWrites: async (ref: SnapshotRef) => writesIn(await readAll(await driver.openSnapshot(ref))),
  }
}
