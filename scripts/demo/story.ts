/** The demo's steps: from an image to a volume that was restored from a backup, with a worker killed and the database lost on the way. */
import { MiB, roundUp } from '../../domain/sizes.ts'
import { changeVolume } from './change.ts'
import { sha256OfFile, sha256OfPaddedFile } from './contents.ts'
import { backUpWithKill } from './interrupted-backup.ts'
import type { DemoResult } from './report.ts'
import type { S3Proxy } from './s3-proxy.ts'
import type { SourceImage } from './source-image.ts'
import type { Stage } from './stage.ts'
import { backUp, boot, importAfterLoss, makeSnapshot, makeVolume, uploadImage } from './steps.ts'

/** The clone is so much larger than its snapshot. */
const GROWTH_BYTES = 256 * MiB

export async function runStory(
  stage: Stage,
  source: SourceImage,
  proxy: S3Proxy | undefined,
): Promise<DemoResult> {
  const { client } = stage.installation
  const imageBytes = roundUp(source.sizeBytes, MiB)
  const grownBytes = imageBytes + GROWTH_BYTES
  const [sourceSha256, imageSha256, grownSha256] = await sha256OfPaddedFile(
    source.rawPath,
    [source.sizeBytes, imageBytes, grownBytes],
    stage.signal,
  )

  const imageId = await uploadImage(stage, source, sourceSha256)
  const volume = await makeVolume(stage, 'volume from image', { imageId, sizeBytes: imageBytes }, imageSha256)
  const snapshotId = await makeSnapshot(stage, volume.volumeId, imageSha256)
  const clone = await makeVolume(
    stage,
    'clone, flatten, grow',
    { snapshotId, sizeBytes: grownBytes, flatten: true },
    grownSha256,
  )
  const { killed, backupId: fullId } = await backUpWithKill(stage, source, clone.volumeId, grownSha256, proxy)

  let changedSha256 = ''
  const change = await stage.step(
    'change the clone',
    async () => {
      const { bytes, sha256, ...rest } = await stage.useVolume(clone.volumeId, async (path) => {
        const changed = await changeVolume(path, stage.folder, stage.signal)
        return { ...changed, sha256: await sha256OfFile(path, stage.signal) }
      })
      changedSha256 = sha256
      return { ...rest, bytesMoved: bytes }
    },
    async () => {
      if (changedSha256 === grownSha256) throw new Error('Expected the clone to have changed')
      return { expected: changedSha256, actual: await stage.hashVolume(clone.volumeId) }
    },
  )
  const incrementalId = await backUp(stage, 'incremental backup', clone.volumeId, changedSha256, async () => {
    const { backup, operation } = await client.createBackup({ volumeId: clone.volumeId, incremental: true })
    return { ...(await stage.follow(operation)), backupId: backup?.id ?? '' }
  })
  const restored = await makeVolume(stage, 'restore', { backupId: incrementalId }, changedSha256)
  await makeVolume(stage, 'restore the full one', { backupId: fullId }, grownSha256)
  const { loseData } = stage.installation
  if (loseData !== undefined) await importAfterLoss(stage, loseData, fullId)
  const { volumeId } =
    loseData === undefined
      ? restored
      : await makeVolume(stage, 'restore again', { backupId: incrementalId }, changedSha256)
  const booted = await boot(stage, source, volumeId, change.file)

  const identical = stage.steps.every((step) => step.identical !== false)
  return { identical, booted, steps: stage.steps, killed }
}
