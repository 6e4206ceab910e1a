import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { KiB, MiB } from '../../domain/sizes.ts'
import { LIMITS } from '../../domain/limits.ts'
import { pseudoRandom } from '../support/small-images.ts'
import { startApi, type TestApi } from './start-api.ts'

test('The bytes of an upload are in the stage, with their hashes in the record', async () => {
  const { client, store, dispatched } = await startApi()
  const bytes = pseudoRandom(3 * MiB + 17, 1)
  const { id } = await client.createImage({ diskFormat: 'raw', name: 'debian' })
  const { image, operation } = await client.uploadImage(id, pieces(bytes), {
    sizeBytes: bytes.length,
    sha512: hash('sha512', bytes),
  })
  expect(image).toMatchObject({
    status: 'saving',
    sizeBytes: bytes.length,
    checksum: hash('md5', bytes),
    osHashAlgo: 'sha512',
    osHashValue: hash('sha512', bytes),
    holderOperationId: operation.id,
  })
  expect(operation).toMatchObject({ kind: 'upload-image', resourceId: id, state: 'pending' })
  expect(dispatched).toEqual([operation.id])
  expect(await store.list()).toEqual({ imageIds: [], stageIds: [id] })
})

test('An upload without an announced length is taken too', async () => {
  const { client } = await startApi()
  const { id } = await client.createImage({ diskFormat: 'raw' })
  const { image } = await client.uploadImage(id, pieces(pseudoRandom(MiB, 2)))
  expect(image.sizeBytes).toBe(MiB)
})

test.for<[string, (api: TestApi, id: string) => Promise<unknown>, number, string]>([
  [
    'with too many announced bytes',
    ({ client }, id) => client.uploadImage(id, pieces(Buffer.alloc(2 * MiB)), { sizeBytes: 2 * MiB }),
    413,
    'imageTooLarge',
  ],
  [
    'with too many bytes in the end',
    ({ client }, id) => client.uploadImage(id, pieces(Buffer.alloc(2 * MiB))),
    413,
    'imageTooLarge',
  ],
  [
    'with other bytes than expected',
    ({ client }, id) => client.uploadImage(id, pieces(Buffer.alloc(KiB)), { sha512: '0'.repeat(128) }),
    400,
    'hashMismatch',
  ],
  [
    'with a hash that is none',
    ({ client }, id) => client.uploadImage(id, pieces(Buffer.alloc(KiB)), { sha512: 'x' }),
    400,
    'invalidHeader',
  ],
  ['without a byte', ({ client }, id) => client.uploadImage(id, new Blob([])), 400, 'imageEmpty'],
  [
    'without a byte in the end',
    ({ client }, id) => client.uploadImage(id, pieces(Buffer.alloc(0))),
    400,
    'imageEmpty',
  ],
])('An upload %s is refused, and the image is queued again', async ([, upload, status, code]) => {
  const api = await startApi({ imageSizeMaxBytes: MiB })
  const { id } = await api.client.createImage({ diskFormat: 'raw' })
  await expect(upload(api, id)).rejects.toMatchObject({ status, code })
  await expectQueued(api, id)
})

test('An upload of JSON is refused by its type', async () => {
  const api = await startApi()
  const { id } = await api.client.createImage({ diskFormat: 'raw' })
  const answer = await fetch(`${api.url}/operations/v1/images/${id}/file`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  expect(answer.status).toBe(415)
  await expectQueued(api, id)
})

test('An upload that ends before its announced length is answered and undone', async () => {
  const api = await startApi()
  const { id } = await api.client.createImage({ diskFormat: 'raw' })
  const socket = beginPut(api, id, 10 * MiB)
  socket.end(Buffer.alloc(MiB))
  expect(await text(socket)).toMatch(/^HTTP\/1.1 400 [^]*announced/)
  await expectQueued(api, id)
})

test('An upload whose client goes away is undone', async () => {
  const api = await startApi()
  const { id } = await api.client.createImage({ diskFormat: 'raw' })
  const socket = beginPut(api, id, 10 * MiB)
  socket.write(Buffer.alloc(MiB))
  await expect.poll(async () => (await api.client.showImage(id)).status).toBe('saving')
  socket.destroy()
  await expectQueued(api, id)
})

test('Of two uploads at once one is refused, and the other is not disturbed', async () => {
  const api = await startApi()
  const { id } = await api.client.createImage({ diskFormat: 'raw' })
  const bytes = pseudoRandom(2 * MiB, 3)
  const socket = beginPut(api, id, bytes.length)
  socket.write(bytes.subarray(0, MiB))
  await expect.poll(async () => (await api.client.showImage(id)).status).toBe('saving')
  const other = api.client.uploadImage(id, pieces(Buffer.alloc(64 * KiB)))
  await expect(other).rejects.toMatchObject({ status: 409, code: 'invalidStatus' })
  socket.write(bytes.subarray(MiB))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toMatch(/^HTTP\/1.1 202/)
  expect(await api.client.showImage(id)).toMatchObject({ checksum: hash('md5', bytes) })
  socket.destroy()
})

test('An upload that lost its lease stops and leaves nothing', { timeout: 20_000 }, async () => {
  const api = await startApi()
  const { id } = await api.client.createImage({ diskFormat: 'raw' })
  const socket = beginPut(api, id, 10 * MiB)
  const writing = setInterval(() => socket.write(Buffer.alloc(KiB)), 50)
  await expect.poll(async () => (await api.client.showImage(id)).status).toBe('saving')
  // What the sweeper does with an upload whose API seems to be dead.
  await api.database.deleteFrom('uploads').execute()
  await api.database.updateTable('images').set({ status: 'queued' }).execute()
  const [answer] = (await once(socket, 'data')) as [Buffer]
  clearInterval(writing)
  expect(answer.toString()).toMatch(/^HTTP\/1.1 408 [^]*uploadLost/)
  socket.destroy()
  await expectQueued(api, id)
})

test('A refused client that goes on sending is cut off', { timeout: 20_000 }, async () => {
  const api = await startApi({ imageSizeMaxBytes: KiB })
  const { id } = await api.client.createImage({ diskFormat: 'raw' })
  const socket = beginPut(api, id, 10 * MiB)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => undefined)
  const writing = setInterval(() => socket.write(Buffer.alloc(KiB)), 50)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toMatch(/^HTTP\/1.1 413/)
  const startedMs = performance.now()
  await closed
  clearInterval(writing)
  expect(performance.now() - startedMs).toBeLessThan(LIMITS.refusedBodyDrainMs + 2_000)
})

test('Closing the API ends uploads and leaves their images queued', async () => {
  const api = await startApi()
  const { id } = await api.client.createImage({ diskFormat: 'raw' })
  const socket = beginPut(api, id, 10 * MiB)
  socket.on('error', () => undefined)
  socket.write(Buffer.alloc(MiB))
  await expect.poll(async () => (await api.client.showImage(id)).status).toBe('saving')
  await api.app.close()
  const image = await api.database.selectFrom('images').select('status').executeTakeFirstOrThrow()
  expect(image.status).toBe('queued')
  expect((await api.store.list()).stageIds).toEqual([])
  socket.destroy()
})

async function expectQueued({ client, store, database }: TestApi, id: string): Promise<void> {
  await expect.poll(async () => (await client.showImage(id)).status, { timeout: 5_000 }).toBe('queued')
  expect(await store.list()).toEqual({ imageIds: [], stageIds: [] })
  expect(await database.selectFrom('uploads').select('imageId').execute()).toEqual([])
  expect(await database.selectFrom('operations').select('id').execute()).toEqual([])
}

function beginPut({ url }: TestApi, id: string, lengthBytes: number): Socket {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  socket.write(
    `PUT /operations/v1/images/${id}/file HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/octet-stream\r\nContent-Length: ${lengthBytes}\r\n\r\n`,
  )
  return socket
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 64 * KiB) yield bytes.subarray(start, start + 64 * KiB)
}

function hash(algorithm: 'md5' | 'sha512', bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex')
}
