/** What every image store promises (drivers/images/driver.ts), for its own test file to run. */
import { createHash, randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { runProcess } from '../../../block-io/process.ts'
import { MiB } from '../../../domain/sizes.ts'
import { DriverError } from '../../../domain/errors.ts'
import type { ImageStore } from '../../../drivers/images/driver.ts'
import { makeQcow2Image, pseudoRandom, sha256OfFile } from '../../support/small-images.ts'
import { tempDir } from '../../support/temp-dir.ts'

const BYTES = pseudoRandom(3 * MiB + 12_345, 1)

export function describeImageStore(name: string, openStore: () => Promise<ImageStore>): void {
  describe(name, () => {
    let store: ImageStore
    beforeEach(async () => {
      store = await openStore()
    })

    describe('writeStage', () => stageTests(() => store))
    describe('buildStage', () => buildTests(() => store))
    describe('publish', () => publishTests(() => store))
    describe('an image', () => imageTests(() => store))
  })
}

function stageTests(store: () => ImageStore): void {
  test('hashes and counts the bytes on the way, and reports progress up to the last one', async () => {
    const seen: number[] = []
    const staged = await write(store(), randomUUID(), BYTES, { onBytes: (total) => seen.push(total) })
    expect(staged).toEqual({
      sizeBytes: BYTES.length,
      md5: createHash('md5').update(BYTES).digest('hex'),
      sha512: createHash('sha512').update(BYTES).digest('hex'),
    })
    expect(seen.at(-1)).toBe(BYTES.length)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  })

  test('keeps zeroes, also at the end', async () => {
    const imageId = randomUUID()
    const bytes = Buffer.concat([Buffer.alloc(2 * MiB), BYTES, Buffer.alloc(2 * MiB + 17)])
    const { sha512 } = await write(store(), imageId, bytes)
    expect(sha512).toBe(createHash('sha512').update(bytes).digest('hex'))
    await store().publish(imageId)
    expect((await read(store(), imageId)).equals(bytes)).toBe(true)
  })

  test('accepts no bytes at all', async () => {
    const { sizeBytes, md5 } = await write(store(), randomUUID(), Buffer.alloc(0))
    expect({ sizeBytes, md5 }).toEqual({ sizeBytes: 0, md5: 'd41d8cd98f00b204e9800998ecf8427e' })
  })

  test('replaces what an earlier upload left', async () => {
    const imageId = randomUUID()
    await write(store(), imageId, BYTES)
    await write(store(), imageId, Buffer.from('second'))
    await store().publish(imageId)
    expect(await read(store(), imageId)).toEqual(Buffer.from('second'))
  })

  test('of more bytes than allowed is invalid, and nothing is left, not even an earlier stage', async () => {
    const imageId = randomUUID()
    await write(store(), imageId, BYTES)
    await expect(write(store(), imageId, BYTES, { sizeMaxBytes: 2 * MiB })).rejects.toMatchObject({
      name: 'DriverError',
      kind: 'invalid',
      message: expect.stringMatching(/at most 2 MiB/),
    })
    await expectNothing(store(), imageId)
  })

  test('of exactly as many bytes as allowed is fine', async () => {
    const staged = await write(store(), randomUUID(), BYTES, { sizeMaxBytes: BYTES.length })
    expect(staged.sizeBytes).toBe(BYTES.length)
  })

  test('ends soon after it is aborted, although the source says nothing, and nothing is left', async () => {
    const imageId = randomUUID()
    const abort = new AbortController()
    const source = new PassThrough()
    source.write(BYTES)
    const writing = store().writeStage(imageId, source, { sizeMaxBytes: 10 * MiB, signal: abort.signal })
    setTimeout(() => abort.abort(), 50)
    await expect(writing).rejects.toMatchObject({ name: 'DriverError', kind: 'transient' })
    expect(source.destroyed).toBe(true)
    await expectNothing(store(), imageId)
  })

  test('does not begin when it is aborted already', async () => {
    const imageId = randomUUID()
    const source = Readable.from([BYTES])
    const writing = store().writeStage(imageId, source, {
      sizeMaxBytes: 10 * MiB,
      signal: AbortSignal.abort(),
    })
    await expect(writing).rejects.toMatchObject({ name: 'DriverError' })
    await expectNothing(store(), imageId)
  })

  test('of a source that breaks is transient, and nothing is left', async () => {
    const imageId = randomUUID()
    await expect(write(store(), imageId, broken())).rejects.toMatchObject({
      kind: 'transient',
      message: expect.stringMatching(/connection reset/),
    })
    await expectNothing(store(), imageId)
  })

  test('lists its id until it is discarded, which may be repeated', async () => {
    const imageId = randomUUID()
    await write(store(), imageId, BYTES)
    expect(await store().list()).toEqual({ imageIds: [], stageIds: [imageId] })
    await store().discardStage(imageId)
    await store().discardStage(imageId)
    await expectNothing(store(), imageId)
  })

  test('leaves a stage that can be opened, as it came', async () => {
    const imageId = randomUUID()
    await write(store(), imageId, BYTES)
    const device = await store().openStage(imageId, 'raw')
    expect(device.sizeBytes).toBe(BYTES.length)
    await device.close()
  })
}

function buildTests(store: () => ImageStore): void {
  const signal = new AbortController().signal

  test('hashes what the program wrote, and it becomes an image like any other', async () => {
    const imageId = randomUUID()
    const seen: number[] = []
    const build = (path: string) => writeFile(path, BYTES)
    const staged = await store().buildStage(imageId, build, { signal, onBytes: (total) => seen.push(total) })
    expect(staged).toEqual({
      sizeBytes: BYTES.length,
      md5: createHash('md5').update(BYTES).digest('hex'),
      sha512: createHash('sha512').update(BYTES).digest('hex'),
    })
    expect(seen.at(-1)).toBe(BYTES.length)
    await store().publish(imageId)
    expect((await read(store(), imageId)).equals(BYTES)).toBe(true)
  })

  test('rejects with what the program said, and nothing is left', async () => {
    const imageId = randomUUID()
    const build = async (path: string) => {
      await writeFile(path, BYTES)
      throw new DriverError('full', 'No room')
    }
    await expect(store().buildStage(imageId, build, { signal })).rejects.toMatchObject({ kind: 'full' })
    await expectNothing(store(), imageId)
  })

  test('ends when it is aborted while it hashes, and nothing is left', async () => {
    const imageId = randomUUID()
    const abort = new AbortController()
    const building = store().buildStage(imageId, (path) => writeFile(path, BYTES), {
      signal: abort.signal,
      onBytes: () => abort.abort(),
    })
    await expect(building).rejects.toMatchObject({ name: 'DriverError', kind: 'transient' })
    await expectNothing(store(), imageId)
  })
}

function publishTests(store: () => ImageStore): void {
  test('makes the stage an image, and may be repeated', async () => {
    const imageId = randomUUID()
    await write(store(), imageId, BYTES)
    await store().publish(imageId)
    await store().publish(imageId)
    expect(await store().list()).toEqual({ imageIds: [imageId], stageIds: [] })
    expect((await read(store(), imageId)).equals(BYTES)).toBe(true)
  })

  test('without a stage is notFound', async () => {
    await expect(store().publish(randomUUID())).rejects.toMatchObject({ kind: 'notFound' })
  })
}

function imageTests(store: () => ImageStore): void {
  test.each([
    [0, BYTES.length],
    [0, 1],
    [MiB - 1, MiB + 1],
    [BYTES.length - 5, BYTES.length],
    [17, 17],
  ])('can be read from %d to %d', async (start, end) => {
    const imageId = await newImage(store(), BYTES)
    const bytes = await buffer(await store().readImage(imageId, { start, end }))
    expect(bytes.equals(BYTES.subarray(start, end))).toBe(true)
  })

  test.each([
    [-1, 5],
    [5, 4],
    [0, BYTES.length + 1],
  ])('cannot be read from %d to %d', async (start, end) => {
    const imageId = await newImage(store(), BYTES)
    await expect(store().readImage(imageId, { start, end })).rejects.toMatchObject({ kind: 'invalid' })
  })

  test('that is missing is notFound to read and open, and fine to delete', async () => {
    const imageId = randomUUID()
    await expect(store().readImage(imageId)).rejects.toMatchObject({ kind: 'notFound' })
    await expect(store().openImage(imageId, 'raw')).rejects.toMatchObject({ kind: 'notFound' })
    await expect(store().openStage(imageId, 'raw')).rejects.toMatchObject({ kind: 'notFound' })
    await store().deleteImage(imageId)
  })

  test('is gone once it is deleted', async () => {
    const imageId = await newImage(store(), BYTES)
    await store().deleteImage(imageId)
    await store().deleteImage(imageId)
    await expectNothing(store(), imageId)
  })

  test('that is deleted while it is read is read to its end', async () => {
    const imageId = await newImage(store(), BYTES)
    const stream = await store().readImage(imageId)
    await store().deleteImage(imageId)
    expect((await buffer(stream)).equals(BYTES)).toBe(true)
  })

  test('of raw bytes opens as a trusted device for qemu', async () => {
    const folder = await tempDir()
    const disk = BYTES.subarray(0, 3 * MiB)
    await writeFile(join(folder, 'original.raw'), disk)
    const device = await store().openImage(await newImage(store(), disk), 'raw')
    expect(device).toMatchObject({ sizeBytes: disk.length })
    expect(device.untrusted).toBeUndefined()
    expect(await convertedSha256(device.blockdev, folder)).toBe(
      await sha256OfFile(join(folder, 'original.raw')),
    )
    await device.close()
  })

  test('of qcow2 opens as an untrusted device that names every driver', async () => {
    const folder = await tempDir()
    const path = join(folder, 'original.qcow2')
    const sha256 = await makeQcow2Image(path, {
      sizeBytes: 8 * MiB,
      data: [{ offset: MiB, length: MiB, seed: 3 }],
    })
    const bytes = await readFile(path)
    const device = await store().openImage(await newImage(store(), bytes), 'qcow2')
    expect(device).toMatchObject({
      untrusted: true,
      sizeBytes: bytes.length,
      blockdev: { driver: 'qcow2', backing: null },
    })
    expect(device.plainFile).toBeUndefined()
    expect(await convertedSha256(device.blockdev, folder)).toBe(sha256)
    await device.close()
  })

  test.each(['', '..', '../images/x', 'a/b', `${randomUUID()}~0`])(
    'refuses the id %j everywhere',
    async (id) => {
      const calls = [
        write(store(), id, BYTES),
        store().buildStage(id, () => Promise.resolve(), { signal: new AbortController().signal }),
        store().openStage(id, 'raw'),
        store().publish(id),
        store().discardStage(id),
        store().deleteImage(id),
        store().openImage(id, 'raw'),
        store().readImage(id),
      ]
      for (const call of await Promise.allSettled(calls)) {
        expect(call).toMatchObject({ status: 'rejected', reason: { name: 'DriverError', kind: 'invalid' } })
      }
    },
  )
}

function write(
  store: ImageStore,
  imageId: string,
  bytes: Buffer | AsyncIterable<Buffer>,
  options: { sizeMaxBytes?: number; onBytes?: (total: number) => void } = {},
) {
  const source = Readable.from(Buffer.isBuffer(bytes) ? pieces(bytes) : bytes)
  return store.writeStage(imageId, source, {
    sizeMaxBytes: 1024 * MiB,
    signal: new AbortController().signal,
    ...options,
  })
}

async function newImage(store: ImageStore, bytes: Buffer): Promise<string> {
  const imageId = randomUUID()
  await write(store, imageId, bytes)
  await store.publish(imageId)
  return imageId
}

async function read(store: ImageStore, imageId: string): Promise<Buffer> {
  return buffer(await store.readImage(imageId))
}

async function expectNothing(store: ImageStore, imageId: string): Promise<void> {
  expect(await store.list()).toEqual({ imageIds: [], stageIds: [] })
  await expect(store.openStage(imageId, 'raw')).rejects.toMatchObject({ kind: 'notFound' })
}

async function convertedSha256(blockdev: unknown, folder: string): Promise<string> {
  const copy = join(folder, 'copy.raw')
  await runProcess('qemu-img', ['convert', '-O', 'raw', `json:${JSON.stringify(blockdev)}`, copy])
  return sha256OfFile(copy)
}

/** As a socket delivers them: 64 KiB and less, never on a boundary. */
async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_531) yield bytes.subarray(at, at + 65_531)
}

async function* broken(): AsyncGenerator<Buffer> {
  yield BYTES
  await sleep(5)
  throw new Error('connection reset')
}
