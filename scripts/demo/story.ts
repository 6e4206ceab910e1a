/** The demo's steps: from an image to a volume that was restored from a backup, with a worker killed on the way. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { formatBytes, MiB, roundUp } from '../../domain/sizes.ts'
import type { CreateVolumeInput } from '../../sdk/types.ts'
import { bootVolume } from './boot.ts'
import { changeVolume } from './change.ts'
import { allocatedBytes, sha256OfFile, sha256OfPaddedFile } from './contents.ts'
import { WorkerKiller } from './kill-worker.ts'
import type { DemoResult } from './report.ts'
import type { S3Proxy } from './s3-proxy.ts'
import type { SourceImage } from './source-image.ts'
import type { Moved, Stage } from './stage.ts'

/** The clone is so much larger than its snapshot. */
const GROWTH_BYTES = 256 * MiB
/** How long the full backup takes at least where its uploads are slowed. */
const SLOW_BACKUP_SECONDS = 24
const UPLOAD_RATE_MIN = 2 * MiB

type VolumeMade = Moved & { readonly volumeId: string }

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

  const clonePath = await stage.volumePath(clone.volumeId)
  let changedSha256 = ''
  const change = await stage.step(
    'change the clone',
    async () => {
      const { bytes, ...rest } = await changeVolume(clonePath, stage.folder, stage.signal)
      return { ...rest, bytesMoved: bytes }
    },
    async () => {
      changedSha256 = await sha256OfFile(clonePath, stage.signal)
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
  const booted = await boot(stage, source, restored.volumeId, change.file)

  const identical = stage.steps.every((step) => step.identical !== false)
  return { identical, booted, steps: stage.steps, killed }
}

async function uploadImage(
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

async function makeVolume(
  stage: Stage,
  name: string,
  input: CreateVolumeInput,
  expected: string,
): Promise<VolumeMade> {
  return stage.step(
    name,
    async () => {
      const { volume, operation } = await stage.installation.client.createVolume({ name, ...input })
      return { ...(await stage.follow(operation)), volumeId: volume?.id ?? '' }
    },
    async ({ volumeId }) => ({ expected, actual: await stage.hashVolume(volumeId) }),
  )
}

async function makeSnapshot(stage: Stage, volumeId: string, expected: string): Promise<string> {
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
async function backUp(
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

/** A full backup, in the middle of which the worker is killed. */
async function backUpWithKill(
  stage: Stage,
  source: SourceImage,
  volumeId: string,
  expected: string,
  proxy: S3Proxy | undefined,
): Promise<{ backupId: string; killed: DemoResult['killed'] }> {
  const { installation, show } = stage
  const repeatedBefore = proxy?.repeatedBytes() ?? 0
  if (proxy !== undefined) {
    const bytesPerSecond = Math.max(
      UPLOAD_RATE_MIN,
      (await allocatedBytes(source.rawPath)) / SLOW_BACKUP_SECONDS,
    )
    proxy.limitUploads(bytesPerSecond)
    show.line(
      `  Uploads to S3 are slowed to ${formatBytes(bytesPerSecond)}/s: that leaves time to kill the worker.`,
    )
  }
  const killer = new WorkerKiller(installation, ({ pid, at }) => {
    proxy?.limitUploads(undefined)
    show.line(
      `  kill -9 of the data worker (process ${pid}) at ${Math.round(at * 100)} % of the data; uploads go at full speed again.`,
    )
  })
  const backupId = await backUp(stage, 'full backup', volumeId, expected, async () => {
    const { backup, operation } = await installation.client.createBackup({ volumeId })
    const moved = await stage.follow(operation, (changed) => killer.observe(changed))
    return { ...moved, backupId: backup?.id ?? '' }
  })
  proxy?.limitUploads(undefined)
  if (killer.kill === undefined) {
    show.line('  The backup was over before the worker could be killed in the middle of it.')
    return { backupId, killed: null }
  }
  const bytesRedone = proxy === undefined ? null : proxy.repeatedBytes() - repeatedBefore
  const redone =
    bytesRedone === null ? '' : ` A proxy before S3 saw ${formatBytes(bytesRedone)} uploaded a second time.`
  show.line(`  The operation went on in a new worker.${redone}`)
  return { backupId, killed: { at: Number(killer.kill.at.toFixed(3)), bytesRedone } }
}

/** Up, and the guest reads the file that the change has written as it was written. */
async function boot(
  stage: Stage,
  source: SourceImage,
  volumeId: string,
  file: { guestPath: string; sha256: string } | undefined,
): Promise<boolean | null> {
  const { boot: kernel } = source
  if (kernel === undefined || file === undefined) return null
  const path = await stage.volumePath(volumeId)
  const { booted } = await stage.step('boot the restored', async () => {
    const guest = await bootVolume(path, kernel, file.guestPath, stage)
    return { path: 'qemu tcg', bytesMoved: 0, booted: guest.booted && guest.sha256 === file.sha256 }
  })
  stage.show.line(
    booted
      ? `  It is up, and ${file.guestPath} has the bytes that only the incremental backup had.`
      : '  It did not come up as it should.',
  )
  return booted
}
