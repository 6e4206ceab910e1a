import { tmpdir } from 'node:os'
import { Readable } from 'node:stream'
import { openSource } from '../../../block-io/copy-source.ts'
import type { OpenDevice } from '../../../block-io/device.ts'
import { contentOf } from '../../../block-io/stream.ts'
import { DriverError } from '../../../domain/errors.ts'
import { infoOf } from '../../volumes/rbd/images.ts'
import { blockdevOf, openPlace, type RbdConfig, type RbdPlace } from '../../volumes/rbd/place.ts'
import type { DiskFormat, ImageStore } from '../driver.ts'
import { cloneSourceOf, derivedImages } from './derived.ts'
import { rbdImageInventory } from './inventory.ts'
import { imageName, SNAPSHOT, stageName } from './names.ts'
import { deleteImage, listStored, sweepImages } from './remove.ts'
import { buildStage, discardStage, publish, writeStage } from './stages.ts'

/** Images as images of a Ceph pool, under the names that Glance gives them. */
export async function openRbdImageStore(
  config: RbdConfig,
  socketDirectory: string = tmpdir(),
): Promise<ImageStore> {
  const place = await openPlace(config)
  return {
    kind: 'rbd',
    writeStage: (imageId, source, progress) => asDriverCall(writeStage(place, imageId, source, progress)),
    buildStage: (imageId, build, progress) =>
      asDriverCall(buildStage(place, imageId, build, { ...progress, folder: socketDirectory })),
    openStage: async (imageId, format) => openAs(place, format, stageName(imageId)),
    publish: (imageId) => publish(place, imageId),
    discardStage: (imageId) => discardStage(place, imageId),
    deleteImage: (imageId) => deleteImage(place, imageId),
    openImage: async (imageId, format) => openAs(place, format, imageName(imageId), SNAPSHOT),
    readImage: (imageId, range) => readImage(place, imageId, { range, socketDirectory }),
    cloneSource: async (imageId) => cloneSourceOf(place, imageName(imageId)),
    derived: derivedImages(place, socketDirectory),
    inventory: rbdImageInventory(place),
    sweep: () => sweepImages(place),
    list: async () => {
      const names = await listStored(place)
      const ids = (...states: string[]) => [
        ...new Set(names.filter(({ state }) => states.includes(state)).map(({ imageId }) => imageId)),
      ]
      return { imageIds: ids('image'), stageIds: ids('stage', 'upload') }
    },
  }
}

async function openAs(
  place: RbdPlace,
  format: DiskFormat,
  name: string,
  snapshot?: string,
): Promise<OpenDevice> {
  const { size: sizeBytes } = await infoOf(place, name, snapshot)
  const file = blockdevOf(place, name, snapshot)
  const close = () => Promise.resolve()
  if (format === 'raw') return { sizeBytes, blockdev: { driver: 'raw', 'read-only': true, file }, close }
  const blockdev = { driver: 'qcow2', 'read-only': true, file, backing: null }
  return { sizeBytes, blockdev, untrusted: true, close }
}

/** Opened before it resolves, so that an image that is deleted meanwhile is still read to its end. */
async function readImage(
  place: RbdPlace,
  imageId: string,
  { range, socketDirectory }: { range?: { start: number; end: number } | undefined; socketDirectory: string },
): Promise<Readable> {
  const image = await openAs(place, 'raw', imageName(imageId), SNAPSHOT)
  const { start, end } = range ?? { start: 0, end: image.sizeBytes }
  if (start < 0 || start > end || end > image.sizeBytes) {
    throw new DriverError(
      'invalid',
      `Expected a range within ${image.sizeBytes} bytes, got ${start} to ${end}`,
    )
  }
  if (start === end) return Readable.from([])
  const ended = new AbortController()
  const reader = await openSource({ source: image, signal: ended.signal, socketDirectory })
  const stream = Readable.from(contentOf(reader, { signal: ended.signal, range: { start, end } }))
  stream.once('close', () => {
    ended.abort()
    void reader.close()
  })
  return stream
}

/** What a source or a signal says is no word of the cluster, and may be tried again. */
async function asDriverCall<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (error instanceof DriverError) throw error
    const message = error instanceof Error ? error.message : String(error)
    throw new DriverError('transient', `Expected to receive the image, got: ${message}`, { cause: error })
  }
}
