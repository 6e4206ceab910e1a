/** What the operations of the matrix work on: made ahead, at full speed, and nothing is used by two that exclude each other. */
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { VolflowClient } from '../../../sdk/client.ts'
import type { Operation } from '../../../sdk/types.ts'
import { makeRawImage, sha256OfFile } from '../../support/small-images.ts'
import type { Installation } from '../installation.ts'
import { MiB, ended, uploadImage } from '../steps.ts'

/** Small, so that all operations together end within seconds once nothing holds them. */
const DATA_BYTES = 24 * MiB
export const SIZE_BYTES = 32 * MiB

export interface Stock {
  readonly client: VolflowClient
  /** Of `SIZE_BYTES`, raw: a volume made from it has the very same bytes. */
  readonly imageFile: string
  readonly sha256: { readonly image: string; readonly zeroes: string }
  readonly imageId: string
  readonly unusedImageId: string
  /** With the image's bytes, as are those below. */
  readonly volumeId: string
  readonly snapshotId: string
  readonly unusedSnapshotId: string
  readonly backupId: string
  readonly unusedBackupId: string
  /** In Cinder's format. */
  readonly unusedCinderBackupId: string
  readonly uploadedId: string
  readonly migratedId: string
  /** With the image's bytes in a layer over zeroes. */
  readonly layeredId: string
  readonly deletedId: string
  readonly extendedId: string
  /** Volumes of zeroes. */
  readonly restoredId: string
  readonly reimagedId: string
  readonly unattachedId: string
  readonly unmanagedId: string
  /** Nobody has it open. */
  readonly attachedId: string
  /** Of zeroes, in the backend, and no volume. */
  readonly sourceName: string
  /** Its snapshot is all zeroes. */
  readonly reverted: { readonly volumeId: string; readonly snapshotId: string }
}

export async function makeStock(installation: Installation): Promise<Stock> {
  const { client, folder } = installation
  const imageFile = join(folder, 'image.raw')
  const zeroesFile = join(folder, 'zeroes.raw')
  await makeRawImage(imageFile, {
    sizeBytes: SIZE_BYTES,
    data: [{ offset: MiB, length: DATA_BYTES, seed: 1 }],
  })
  await makeRawImage(zeroesFile, { sizeBytes: SIZE_BYTES, data: [] })
  const done = async (started: Promise<{ operation: Operation }>) =>
    (await ended(installation, started)).resourceId
  const imageId = await uploadImage(installation, imageFile, 'raw')
  const fromImage = () => done(client.createVolume({ imageId }))
  const blank = () => done(client.createVolume({ sizeBytes: SIZE_BYTES }))
  const [volumeId, uploadedId, migratedId, restoredId, reimagedId, revertedId] = await Promise.all([
    ...[fromImage(), fromImage(), fromImage()],
    ...[blank(), blank(), blank()],
  ] as const)
  const snapshotOf = (id: string) => done(client.createSnapshot({ volumeId: id }))
  const unusedCinderBackupId = await done(client.createBackup({ volumeId, target: 'cinder' }))
  const [snapshotId, backupId, unusedBackupId, revertedSnapshotId, deletedId, extendedId, unusedImageId] =
    await Promise.all([
      snapshotOf(volumeId),
      done(client.createBackup({ volumeId })),
      done(client.createBackup({ volumeId: uploadedId })),
      snapshotOf(revertedId),
      blank(),
      blank(),
      uploadImage(installation, zeroesFile, 'raw'),
    ])
  const [unattachedId, attachedId, unmanagedId, layeredId] = await Promise.all([
    ...[blank(), blank()],
    ...[blank(), blank()],
  ] as const)
  const { result } = await ended(installation, client.unmanageVolume(await blank()))
  await done(client.restoreBackup(backupId, { volumeId: layeredId }))
  await done(client.attachVolume(attachedId, {}))
  const unusedSnapshotId = await snapshotOf(volumeId)
  await done(client.reimageVolume(revertedId, { imageId }))
  return {
    ...{ client, imageFile, imageId, unusedImageId, volumeId, snapshotId, unusedSnapshotId },
    unusedCinderBackupId,
    ...{ backupId, unusedBackupId, uploadedId, migratedId, deletedId, extendedId, restoredId, reimagedId },
    ...{ unattachedId, attachedId, unmanagedId, layeredId, sourceName: String(result?.sourceName) },
    reverted: { volumeId: revertedId, snapshotId: revertedSnapshotId },
    sha256: { image: await sha256OfFile(imageFile), zeroes: await sha256OfFile(zeroesFile) },
  }
}

/** A new image with bytes: answers as soon as its operation was accepted. */
export async function startUpload({ client, imageFile }: Stock): Promise<{ operation: Operation }> {
  const { id } = await client.createImage({ diskFormat: 'raw' })
  const bytes = createReadStream(imageFile) as AsyncIterable<Uint8Array>
  return client.uploadImage(id, bytes, { sizeBytes: SIZE_BYTES })
}
