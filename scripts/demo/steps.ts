/** Single steps of the demo, each with the check that its content is what it has to be. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { MiB } from '../../domain/sizes.ts'
import type { CreateVolumeInput } from '../../sdk/types.ts'
import { bootVolume } from './boot.ts'
import type { SourceImage } from './source-image.ts'
import type { Moved, Stage } from './stage.ts'

export async function uploadImage(
  stage: Stage,
  { qcow2Path, title, sizeBytes }: SourceImage,
  expected: string,
): Promise<string> {
  const { client } = stage.installation
  const { id } = await client.createImage({ name: title, diskFormat: 'qcow2' })
  const totalBytes = (await stat(qcow2Path)).size
  let doneBytes = 0
  async function* counted() {
    const pieces = createReadStream(qcow2Path, { highWaterMark: MiB })
    for await (const piece of pieces as AsyncIterable<Buffer>) {
      yield piece
      doneBytes += piece.length
      stage.show.progress({ kind: 'upload-image', phase: 'uploading', doneBytes, totalBytes })
    }
  }
  await stage.step(
    'upload the image',
    async () => {
      const { operation } = await client.uploadImage(id, counted(), {
        sizeBytes: totalBytes,
        signal: stage.signal,
      })
      await stage.follow(operation)
      return { path: 'upload', bytesMoved: totalBytes }
    },
    async () => ({ expected, actual: await stage.hashImage(id, sizeBytes) }),
  )
  return id
}

export async function makeVolume(
  stage: Stage,
  name: string,
  input: CreateVolumeInput,
  expected: string,
): Promise<Moved & { readonly volumeId: string }> {
  return stage.step(
    name,
    async () => {
      const { volume, operation } = await stage.installation.client.createVolume({ name, ...input })
      return { ...(await stage.follow(operation)), volumeId: volume?.id ?? '' }
    },
    async ({ volumeId }) => ({ expected, actual: await stage.hashVolume(volumeId) }),
  )
}

export async function makeSnapshot(stage: Stage, volumeId: string, expected: string): Promise<string> {
  const { snapshotId } = await stage.step(
    'snapshot',
    async () => {
      const { snapshot, operation } = await stage.installation.client.createSnapshot({ volumeId })
      return { ...(await stage.follow(operation)), snapshotId: snapshot?.id ?? '' }
    },
    async (made) => ({
      expected,
      actual: await stage.hashSnapshot({ volumeId, snapshotId: made.snapshotId }),
    }),
  )
  return snapshotId
}

/** The hash of a backup is that of the volume right after it; the restores show that it is the backup's too. */
export async function backUp(
  stage: Stage,
  name: string,
  volumeId: string,
  expected: string,
  work: () => Promise<Moved & { backupId: string }>,
): Promise<string> {
  const { backupId } = await stage.step(name, work, async () => ({
    expected,
    actual: await stage.hashVolume(volumeId),
  }))
  return backupId
}

/** The database and all volumes are gone; what the target has is enough to go on. */
export async function importAfterLoss(
  stage: Stage,
  loseData: () => Promise<void>,
  backupId: string,
): Promise<void> {
  const { client } = stage.installation
  const { target } = await client.showBackup(backupId)
  await stage.step('lose all but target and key', async () => {
    await loseData()
    return { path: 'new database', bytesMoved: 0 }
  })
  await stage.step('import the backups', async () => {
    await stage.follow((await client.importTarget(target)).operation)
    return { path: 'records of the target', bytesMoved: 0 }
  })
}

/** Up, and the guest reads the file that the change has written as it was written. */
export async function boot(
  stage: Stage,
  source: SourceImage,
  volumeId: string,
  file: { guestPath: string; sha256: string } | undefined,
): Promise<boolean | null> {
  const { boot: kernel } = source
  if (kernel === undefined || file === undefined) return null
  const disk = await stage.volumeBlockdev(volumeId)
  const { booted } = await stage.step('boot the restored', async () => {
    const guest = await bootVolume(disk, kernel, file.guestPath, stage)
    return { path: 'qemu tcg', bytesMoved: 0, booted: guest.booted && guest.sha256 === file.sha256 }
  })
  stage.show.line(
    booted
      ? `  It is up, and ${file.guestPath} has the bytes that only the incremental backup had.`
      : '  It did not come up as it should.',
  )
  return booted
}
