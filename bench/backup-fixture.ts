import { openAsBlob } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Target } from '../scripts/demo/installation.ts'
import { startS3 } from '../scripts/demo/servers.ts'
import { makeDisk, warm } from './disk.ts'
import { Product } from './product.ts'

export interface BackupFixture extends AsyncDisposable {
  readonly product: Product
  /** Has the content of `raw`. */
  readonly volumeId: string
  readonly raw: string
  /** `directory`, and `s3` where there is a server. */
  readonly targetKinds: readonly string[]
}

/** A volume, and of each kind of target `count` empty ones (`directory-0`, `s3-0`, …): what a target has, it does not take again. */
export async function startBackupFixture(
  folder: string,
  count: number,
  signal: AbortSignal,
): Promise<BackupFixture> {
  await using stack = new AsyncDisposableStack()
  const raw = join(folder, 'source.raw')
  await makeDisk(raw, { compressible: true })
  const s3Folder = join(folder, 's3')
  await mkdir(s3Folder)
  const s3 = await startS3(s3Folder, signal)
  if (s3 !== undefined) stack.defer(() => s3.stop())
  const targets: Record<string, Target> = {}
  for (let index = 0; index < count; index++) {
    targets[`directory-${index}`] = { driver: 'directory', path: join(folder, 'directory', `${index}`) }
    if (s3 === undefined) continue
    const { endpoint, bucket, accessKeyId, secretAccessKey } = s3
    targets[`s3-${index}`] = {
      driver: 's3',
      endpoint,
      bucket,
      accessKeyId,
      secretAccessKey,
      prefix: `${index}/`,
    }
  }
  const product = stack.use(await Product.start(folder, signal, targets))
  const imageId = await product.uploadImage('raw', await openAsBlob(raw))
  const { volumeId } = await product.makeVolume({ imageId })
  await warm(raw)
  const targetKinds = s3 === undefined ? ['directory'] : ['directory', 's3']
  const owned = stack.move()
  return { product, volumeId, raw, targetKinds, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
