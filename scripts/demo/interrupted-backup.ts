import { formatBytes, MiB } from '../../domain/sizes.ts'
import { allocatedBytes } from './contents.ts'
import { WorkerKiller } from './kill-worker.ts'
import type { DemoResult } from './report.ts'
import type { S3Proxy } from './s3-proxy.ts'
import type { SourceImage } from './source-image.ts'
import type { Stage } from './stage.ts'
import { backUp } from './steps.ts'

/** How long the full backup takes at least where its uploads are slowed. */
const SLOW_BACKUP_SECONDS = 24
const UPLOAD_RATE_MIN = 2 * MiB

/** A full backup, in the middle of which the worker is killed. */
export async function backUpWithKill(
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
  if (installation.pidOf === undefined) return { backupId, killed: null }
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
