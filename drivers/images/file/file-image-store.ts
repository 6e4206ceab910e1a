/**
 * Images in a directory: `images/<id>` as uploaded, `stages/<id>` once all bytes of an upload are there and flushed, and
 * `stages/<id>~<random>` while they arrive. Each attempt writes its own file, so a writer that was thought dead spoils nothing.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Blockdev, OpenDevice } from '../../../block-io/device.ts'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { driverCalls, exists, ifPresent, syncPath } from '../../volumes/file/durable.ts'
import { checkedId, isId } from '../../volumes/file/ids.ts'
import type { DiskFormat, ImageStore, StagedBytes } from '../driver.ts'
import { fileImageInventory } from './inventory.ts'
import { buildHashed, writeHashed } from './write-hashed.ts'

interface Layout {
  readonly images: string
  readonly stages: string
}

export async function openFileImageStore(path: string): Promise<ImageStore> {
  const layout = { images: join(path, 'images'), stages: join(path, 'stages') }
  const asDriverCall = driverCalls([layout.images, layout.stages])
  await asDriverCall('open the image store', async () => {
    for (const directory of [layout.images, layout.stages]) await mkdir(directory, { recursive: true })
  })
  return {
    kind: 'file',
    writeStage: (imageId, source, progress) =>
      asDriverCall(`receive image ${imageId}`, () =>
        fillStage(layout, imageId, (path) => writeHashed(path, source, progress)),
      ),
    buildStage: (imageId, build, progress) =>
      asDriverCall(`build image ${imageId}`, () =>
        fillStage(layout, imageId, (path) => buildHashed(path, build, progress)),
      ),
    openStage: (imageId, format) =>
      asDriverCall(`open the stage of image ${imageId}`, () => openFile(layout.stages, imageId, format)),
    publish: (imageId) => asDriverCall(`publish image ${imageId}`, () => publish(layout, imageId)),
    discardStage: (imageId) =>
      asDriverCall(`discard the stage of image ${imageId}`, () => discardStage(layout, imageId)),
    deleteImage: (imageId) => asDriverCall(`delete image ${imageId}`, () => remove(layout.images, imageId)),
    openImage: (imageId, format) =>
      asDriverCall(`open image ${imageId}`, () => openFile(layout.images, imageId, format)),
    readImage: (imageId, range) =>
      asDriverCall(`read image ${imageId}`, () => readImage(layout, imageId, range)),
    imageFile: (imageId) =>
      asDriverCall(`find image ${imageId}`, async () => (await find(layout.images, imageId)).path),
    inventory: fileImageInventory(layout),
    list: () =>
      asDriverCall('list the image store', async () => ({
        imageIds: (await readdir(layout.images)).filter(isId),
        stageIds: [...new Set((await readdir(layout.stages)).map(stageIdOf))].filter(isId),
      })),
  }
}

async function fillStage(
  layout: Layout,
  imageId: string,
  fill: (path: string) => Promise<StagedBytes>,
): Promise<StagedBytes> {
  await discardStage(layout, imageId)
  const attempt = join(layout.stages, `${imageId}~${randomBytes(6).toString('hex')}`)
  try {
    const staged = await fill(attempt)
    await rename(attempt, join(layout.stages, imageId))
    await syncPath(layout.stages)
    return staged
  } catch (error) {
    await rm(attempt, { force: true })
    throw error
  }
}

async function publish(layout: Layout, imageId: string): Promise<void> {
  const image = join(layout.images, checkedId('image', imageId))
  await ifPresent(rename(join(layout.stages, imageId), image))
  if (!(await exists(image))) {
    throw new DriverError('notFound', `Expected a stage of image ${imageId}, there is none`)
  }
  await syncPath(layout.images)
  await syncPath(layout.stages)
}

async function discardStage(layout: Layout, imageId: string): Promise<void> {
  checkedId('image', imageId)
  for (const name of await readdir(layout.stages)) {
    if (stageIdOf(name) === imageId) await rm(join(layout.stages, name), { force: true })
  }
  await syncPath(layout.stages)
}

async function remove(directory: string, imageId: string): Promise<void> {
  await rm(join(directory, checkedId('image', imageId)), { force: true })
  await syncPath(directory)
}

async function openFile(directory: string, imageId: string, format: DiskFormat): Promise<OpenDevice> {
  const { path, sizeBytes } = await find(directory, imageId)
  const file: Blockdev = { driver: 'file', filename: path }
  // Nothing runs and nothing is held for a device made of a file.
  const close = () => Promise.resolve()
  if (format === 'raw') {
    return { sizeBytes, blockdev: { driver: 'raw', 'read-only': true, file }, plainFile: path, close }
  }
  const blockdev: Blockdev = { driver: 'qcow2', 'read-only': true, file, backing: null }
  return { sizeBytes, blockdev, untrusted: true, close }
}

async function readImage(
  layout: Layout,
  imageId: string,
  range?: { start: number; end: number },
): Promise<Readable> {
  const { path, sizeBytes } = await find(layout.images, imageId)
  const { start, end } = range ?? { start: 0, end: sizeBytes }
  if (start < 0 || start > end || end > sizeBytes) {
    throw new DriverError('invalid', `Expected a range within ${sizeBytes} bytes, got ${start} to ${end}`)
  }
  if (start === end) return Readable.from([])
  // Opened here, so that an image that is deleted meanwhile is still read to its end.
  const handle = await open(path, 'r')
  return handle.createReadStream({ start, end: end - 1, highWaterMark: LIMITS.uploadBlockBytes })
}

async function find(directory: string, imageId: string): Promise<{ path: string; sizeBytes: number }> {
  const path = join(directory, checkedId('image', imageId))
  const found = await ifPresent(stat(path))
  if (found === undefined)
    throw new DriverError('notFound', `Expected image ${imageId} to exist, it does not`)
  return { path, sizeBytes: found.size }
}

function stageIdOf(name: string): string {
  return name.split('~', 1)[0] ?? ''
}
