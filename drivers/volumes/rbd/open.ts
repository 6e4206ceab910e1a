import type { OpenDevice } from '../../../block-io/device.ts'
import { type DeviceExport, serveDevice } from '../../../block-io/export.ts'
import type { SnapshotRef } from '../driver.ts'
import { currentImage, findSnapshot } from './images.ts'
import { snapshotName, volumeImage } from './names.ts'
import { blockdevOf, type RbdPlace } from './place.ts'
import { claimImage, fenceWriter, forgetWriter, openRecorded } from './writers.ts'

/** Readers take no lock: nothing runs for them here. */
export async function openToRead(place: RbdPlace, volumeId: string): Promise<OpenDevice> {
  volumeImage(volumeId)
  const { name, size } = await currentImage(place, volumeId)
  return readable(place, name, size)
}

export async function openSnapshot(place: RbdPlace, ref: SnapshotRef): Promise<OpenDevice> {
  volumeImage(ref.volumeId)
  const { name, size } = await findSnapshot(place, ref)
  return readable(place, name, size, snapshotName(ref.snapshotId))
}

/** Opened here, by a server of its own, so that the client that writes is known to whoever comes after us. */
export async function openToWrite(
  place: RbdPlace,
  volumeId: string,
  socketDirectory: string,
): Promise<OpenDevice> {
  volumeImage(volumeId)
  const { name, size: sizeBytes } = await currentImage(place, volumeId)
  return openImageToWrite(place, { name, sizeBytes }, socketDirectory)
}

export async function openImageToWrite(
  place: RbdPlace,
  { name, sizeBytes }: { name: string; sizeBytes: number },
  socketDirectory: string,
): Promise<OpenDevice> {
  await claimImage(place, name)
  const device = { sizeBytes, blockdev: blockdevOf(place, name) }
  const servers: DeviceExport[] = []
  const open = async () => {
    const server = await serveDevice(device, { socketDirectory, confined: false, writable: true })
    servers.push(server)
    return server
  }
  const close = async () => {
    for (const server of servers) {
      await server.close()
      // One that had to be killed left its lock behind, and the cluster still takes it for somebody who writes.
      await ((await server.endedCleanly) ? forgetWriter(place, name) : fenceWriter(place, name))
    }
  }
  let closing: Promise<void> | undefined
  const server = await openRecorded(place, name, open).catch(async (error: unknown) => {
    await close()
    throw error
  })
  return { sizeBytes, blockdev: server.blockdev, served: server.spec, close: () => (closing ??= close()) }
}

function readable(place: RbdPlace, image: string, sizeBytes: number, snapshot?: string): OpenDevice {
  const blockdev = { driver: 'raw', 'read-only': true, file: blockdevOf(place, image, snapshot) }
  return { sizeBytes, blockdev, close: () => Promise.resolve() }
}
