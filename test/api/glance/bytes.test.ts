import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KiB, MiB } from '../../../domain/sizes.ts'
import { makeQcow2Image, pseudoRandom } from '../../support/small-images.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { hash, startGlance, type TestGlance } from './start-glance.ts'

const file = (id: string) => `/v2/images/${id}/file`

test('An uploaded image is active when the upload is answered, with the hashes of the very bytes', async () => {
  const { create, upload, show, database } = await startGlance()
  const bytes = pseudoRandom(3 * MiB + 17, 1)
  const { id } = await create()
  const answer = await upload(id, bytes)
  expect(answer.status).toBe(204)
  const operation = await database.selectFrom('operations').selectAll().executeTakeFirstOrThrow()
  expect(answer.headers.get('operation-id')).toBe(operation.id)
  expect(operation).toMatchObject({ kind: 'upload-image', state: 'succeeded', projectId: 'p1' })
  expect(await show(id)).toMatchObject({
    status: 'active',
    size: bytes.length,
    virtual_size: 3 * MiB + 512,
    checksum: hash('md5', bytes),
    os_hash_algo: 'sha512',
    os_hash_value: hash('sha512', bytes),
    stores: 'files',
  })
})

test('What is downloaded is what was uploaded, with its hashes', async () => {
  const { bytes, call, id } = await withImage()
  const answer = await fetch(`${call.url}/image${file(id)}`, { headers: { 'x-test-caller': 'p1:reader' } })
  expect(answer.status).toBe(200)
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'application/octet-stream',
    'content-length': String(bytes.length),
    'content-md5': hash('md5', bytes),
    etag: `"${hash('sha512', bytes)}"`,
  })
  expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
})

test('A qcow2 is served as the file that it was, not as the disk in it', async () => {
  const api = await startGlance()
  const path = join(await tempDir(), 'disk.qcow2')
  await makeQcow2Image(path, { sizeBytes: 8 * MiB, data: [{ offset: MiB, length: 64 * KiB, seed: 2 }] })
  const bytes = await readFile(path)
  const { id } = await api.create({ disk_format: 'qcow2' })
  expect((await api.upload(id, bytes)).status).toBe(204)
  const image = await api.show(id)
  expect(image).toMatchObject({ size: bytes.length, virtual_size: 8 * MiB, checksum: hash('md5', bytes) })
  const answer = await fetch(`${api.url}/image${file(id)}`, { headers: { 'x-test-caller': 'p1:member' } })
  expect(hash('sha512', Buffer.from(await answer.arrayBuffer()))).toBe(image.os_hash_value)
})

test.for<[string, number, number]>([
  ['bytes=0-0', 0, 1],
  ['bytes=10-19', 10, 20],
  ['bytes=1048000-', 1_048_000, MiB],
  ['bytes=-7', MiB - 7, MiB],
  ['bytes=1048570-99999999', 1_048_570, MiB],
])('Range %s is served alone', async ([range, start, end]) => {
  const { bytes, call, id } = await withImage()
  const answer = await fetch(`${call.url}/image${file(id)}`, {
    headers: { 'x-test-caller': 'p1:member', range },
  })
  expect(answer.status).toBe(206)
  expect(answer.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/${MiB}`)
  expect(answer.headers.get('content-length')).toBe(String(end - start))
  expect(answer.headers.has('content-md5')).toBe(false)
  expect(Buffer.from(await answer.arrayBuffer()).equals(bytes.subarray(start, end))).toBe(true)
})

test.for(['bytes=1048576-', 'bytes=5-4', 'bytes=-', 'bytes=0-1,4-5', 'bytes=-0', 'bytes=a-b'])(
  'Range %s is refused, with the size that there is',
  async (range) => {
    const { call, id } = await withImage()
    const answer = await call.call('GET', file(id), { headers: { range } })
    expect([answer.status, answer.headers.get('content-range')]).toEqual([416, `bytes */${MiB}`])
  },
)

test('A range of another image than the client has begun, and one of another unit, are the whole image', async () => {
  const { call, id } = await withImage()
  for (const headers of [{ range: 'bytes=0-1', 'if-range': '"other"' }, { range: 'pages=1-2' }] as Record<
    string,
    string
  >[]) {
    expect((await call.call('GET', file(id), { headers })).status).toBe(200)
  }
})

test('An image without bytes has no content', async () => {
  const { create, call } = await startGlance()
  const { id } = await create()
  expect((await call('GET', file(id))).status).toBe(204)
})

test.for<[string, object, Uint8Array, Record<string, string>, number]>([
  ['without formats', { disk_format: null, container_format: null }, Buffer.alloc(KiB), {}, 400],
  ['of other bytes than the format says', { disk_format: 'qcow2' }, Buffer.alloc(KiB), {}, 400],
  ['of another size than announced', {}, Buffer.alloc(KiB), { 'x-openstack-image-size': '1025' }, 400],
  ['with a size that is none', {}, Buffer.alloc(KiB), { 'x-openstack-image-size': 'big' }, 400],
  ['without bytes', {}, Buffer.alloc(0), {}, 400],
  ['of JSON', {}, Buffer.from('{}'), { 'content-type': 'application/json' }, 415],
  ['to an unknown store', {}, Buffer.alloc(KiB), { 'x-image-meta-store': 'tape' }, 400],
  ['of too many bytes', {}, Buffer.alloc(2 * MiB), {}, 413],
])(
  'An upload %s is refused, and the image stays queued without a trace',
  async ([, fields, bytes, headers, status]) => {
    const { create, call, show, database } = await startGlance({ imageSizeMaxBytes: MiB })
    const { id } = await create(fields)
    const answer = await call('PUT', file(id), { bytes, headers })
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining('<h1>')])
    expect(await show(id)).toMatchObject({
      status: 'queued',
      size: null,
      checksum: null,
      os_hash_value: null,
    })
    expect(await database.selectFrom('uploads').select('imageId').execute()).toEqual([])
    expect(await database.selectFrom('artifacts').select('id').execute()).toEqual([])
  },
)

test('A chunked upload is measured at its end', async () => {
  const { create, call, show } = await startGlance()
  const { id } = await create()
  const chunked = () => new Blob([new Uint8Array(KiB), new Uint8Array(KiB)]).stream()
  const wrong = { bytes: chunked(), headers: { 'x-openstack-image-size': '1024' } }
  expect((await call('PUT', file(id), wrong)).status).toBe(400)
  expect((await show(id)).status).toBe('queued')
  const right = { bytes: chunked(), headers: { 'x-openstack-image-size': '2048' } }
  expect((await call('PUT', file(id), right)).status).toBe(204)
  expect((await show(id)).size).toBe(2 * KiB)
})

test('An active image gets no other bytes', async () => {
  const { call, id } = await withImage()
  expect((await call.upload(id, Buffer.alloc(1))).status).toBe(409)
  expect((await call.call('PUT', `/v2/images/${id}/stage`, { bytes: Buffer.alloc(1) })).status).toBe(409)
})

test('Others upload nothing: of what they see it is forbidden, of all else they do not hear', async () => {
  const { create, upload, call } = await startGlance()
  const seen = await create({ visibility: 'community' })
  const hidden = await create({ visibility: 'private' })
  const bytes = Buffer.alloc(KiB)
  expect((await upload(seen.id, bytes, 'p2:member')).status).toBe(403)
  expect((await upload(hidden.id, bytes, 'p2:member')).status).toBe(404)
  expect((await upload(seen.id, bytes, 'p1:reader')).status).toBe(403)
  expect((await call('GET', file(hidden.id), { as: 'p2:member' })).status).toBe(404)
  expect((await upload(randomUUID(), bytes)).status).toBe(404)
  expect((await upload(hidden.id, bytes, 'admins:admin')).status).toBe(204)
})

test('The store of the bytes can be chosen with them', async () => {
  const { create, call, show } = await startGlance()
  const { id } = await create()
  const options = { bytes: Buffer.alloc(KiB), headers: { 'x-image-meta-store': 'second' } }
  expect((await call('PUT', file(id), options)).status).toBe(204)
  expect((await show(id)).stores).toBe('second')
})

test(
  'An upload whose check takes long is answered, and the image is saving',
  { timeout: 60_000 },
  async () => {
    const { create, upload, show } = await startGlance({ idle: true })
    const { id } = await create()
    expect((await upload(id, Buffer.alloc(KiB))).status).toBe(204)
    expect((await show(id)).status).toBe('saving')
  },
)

async function withImage(): Promise<{ call: TestGlance; id: string; bytes: Buffer }> {
  const call = await startGlance()
  const bytes = Buffer.from(pseudoRandom(MiB, 4))
  const { id } = await call.create()
  const answer = await call.upload(id, bytes)
  if (answer.status !== 204) throw new Error(answer.text)
  return { call, id, bytes }
}
