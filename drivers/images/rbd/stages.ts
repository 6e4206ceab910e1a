/** From a stream to an image: what arrives, what is complete, and what everybody may read. */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { ifThere, rbd, rbdInput, unlessThere } from '../../volumes/rbd/commands.ts'
import { layoutOf } from '../../volumes/rbd/create.ts'
import { infoOf } from '../../volumes/rbd/images.ts'
import { type RbdPlace, specOf } from '../../volumes/rbd/place.ts'
import { renameImage } from '../../volumes/rbd/rename.ts'
import { fenceAll } from '../../volumes/rbd/writers.ts'
import type { StagedBytes, StageProgress } from '../driver.ts'
import { type Block, hashStream } from '../hash-stream.ts'
import { imageName, SNAPSHOT, stageName, uploadName } from './names.ts'
import { listStored } from './remove.ts'

export async function writeStage(
  place: RbdPlace,
  imageId: string,
  source: Readable,
  progress: StageProgress,
): Promise<StagedBytes> {
  const upload = uploadName(imageId)
  try {
    await discardStage(place, imageId)
    progress.signal.throwIfAborted()
    const staged = await importStream(place, upload, source, progress)
    await renameImage(place, upload, stageName(imageId))
    return staged
  } catch (error) {
    source.destroy()
    await removeUpload(place, upload)
    throw error
  }
}

/** The program wants a file: one beside the sockets, as long as it takes. */
export async function buildStage(
  place: RbdPlace,
  imageId: string,
  build: (path: string) => Promise<void>,
  { folder, ...progress }: Omit<StageProgress, 'sizeMaxBytes'> & { folder: string },
): Promise<StagedBytes> {
  imageName(imageId)
  const scratch = await mkdtemp(join(folder, 'image-'))
  try {
    const path = join(scratch, 'built')
    await build(path)
    const source = createReadStream(path, { highWaterMark: LIMITS.uploadBlockBytes })
    return await writeStage(place, imageId, source, { ...progress, sizeMaxBytes: LIMITS.imageSizeMaxBytes })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** The snapshot is there before the name: whoever finds the image can read it. */
export async function publish(place: RbdPlace, imageId: string): Promise<void> {
  const stage = stageName(imageId)
  if ((await ifThere(infoOf(place, stage))) === undefined) {
    if ((await ifThere(infoOf(place, imageName(imageId)))) !== undefined) return
    throw new DriverError('notFound', `Expected a stage of image ${imageId}, there is none`)
  }
  await unlessThere(rbd(place, ['snap', 'create', '--no-progress', specOf(place, stage, SNAPSHOT)]))
  await renameImage(place, stage, imageName(imageId))
}

export async function discardStage(place: RbdPlace, imageId: string): Promise<void> {
  imageName(imageId)
  for (const found of await listStored(place)) {
    if (found.imageId !== imageId) continue
    if (found.state === 'stage') await removeImage(place, found.name)
    if (found.state === 'upload') await removeUpload(place, found.name)
  }
}

/** A program that was killed while it wrote it would be in the way for 30 s; one that still writes it has been given up. */
async function removeUpload(place: RbdPlace, name: string): Promise<void> {
  await fenceAll(place, name)
  await removeImage(place, name)
}

/** Of one that nobody reads, with the snapshot that a publication left that was interrupted. */
export async function removeImage(place: RbdPlace, name: string): Promise<void> {
  await ifThere(rbd(place, ['snap', 'purge', '--no-progress', specOf(place, name)]))
  await ifThere(rbd(place, ['rm', '--no-progress', specOf(place, name)]))
}

/** Zeroes are not stored. The program is told that the input has ended, also when it has not: killed, it would keep the image open. */
async function importStream(
  place: RbdPlace,
  image: string,
  source: Readable,
  progress: StageProgress,
): Promise<StagedBytes> {
  const target = ['--image-format', '2', ...layoutOf(place), '-', specOf(place, image)]
  const { stream, ended } = rbdInput(place, ['import', '--no-progress', ...target])
  const save = async (block: Block) => {
    if (!stream.write(Buffer.from(block))) await Promise.race([once(stream, 'drain'), ended])
  }
  try {
    return await hashStream(source, progress, save)
  } finally {
    stream.end()
    await ended
  }
}
