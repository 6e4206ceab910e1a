import { openAsBlob } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Target } from '../scripts/demo/installation.ts'
import { warm } from './disk.ts'
import { Product } from './product.ts'
import { type S3Places, startS3Places } from './s3-place.ts'
import { makeSampleVolume } from './sample-volume.ts'

export const TARGET_KINDS = ['s3', 'directory'] as const
export type TargetKind = (typeof TARGET_KINDS)[number]

export interface BackupFixture extends AsyncDisposable {
  readonly product: Product
  /** Has the content of `raw`. */
  readonly volumeId: string
  readonly raw: string
  readonly places: S3Places
  readonly targetFolder: (index: number) => string
}

/** A volume, and of each kind `count` empty targets (`directory-0`, `s3-0`, …): what a target has, it does not take again. */
export async function startBackupFixture(
  folder: string,
  count: number,
  signal: AbortSignal,
): Promise<BackupFixture> {
  await using stack = new AsyncDisposableStack()
  const raw = join(folder, 'source.raw')
  await makeSampleVolume(raw)
  const s3Folder = join(folder, 's3')
  await mkdir(s3Folder)
  const places = stack.use(await startS3Places(s3Folder, signal))
  const targetFolder = (index: number) => join(folder, 'directory', `${index}`)
  const targets: Record<string, Target> = {}
  for (let index = 0; index < count; index++) {
    targets[`directory-${index}`] = { driver: 'directory', path: targetFolder(index) }
    const { region: _, prefix, ...place } = places.at(`ours-${index}`)
    targets[`s3-${index}`] = { driver: 's3', ...place, prefix: `${prefix}/` }
  }
  const product = stack.use(await Product.start(folder, signal, targets))
  const imageId = await product.uploadImage('raw', await openAsBlob(raw))
  const { volumeId } = await product.makeVolume({ imageId })
  await warm(raw)
  const owned = stack.move()
  return { product, volumeId, raw, places, targetFolder, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
