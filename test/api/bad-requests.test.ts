import { expect, test } from 'vitest'
import { MiB, TiB } from '../../domain/sizes.ts'
import { runToEnd } from './end-operation.ts'
import { startApi } from './start-api.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const BASE = '/operations/v1'

test.for<[string, unknown, number, string]>([
  ['size 0', { sizeBytes: 0 }, 400, 'invalidSize'],
  ['a negative size', { sizeBytes: -MiB }, 400, 'invalidSize'],
  ['an absurd size', { sizeBytes: 65 * TiB }, 400, 'invalidSize'],
  ['a size beyond exact numbers', { sizeBytes: 2 ** 60 }, 400, 'invalidRequest'],
  ['an infinite size', '{"sizeBytes":1e999}', 400, 'invalidRequest'],
  ['a fraction of a byte', { sizeBytes: 1.5 }, 400, 'invalidRequest'],
  ['a fraction of a MiB', { sizeBytes: MiB + 1 }, 400, 'invalidSize'],
  ['a size in words', { sizeBytes: '10G' }, 400, 'invalidRequest'],
  ['a size of null', { sizeBytes: null }, 400, 'invalidRequest'],
  ['no size and no source', {}, 400, 'sizeMissing'],
  ['an unknown field', { sizeBytes: MiB, colour: 'red' }, 400, 'invalidRequest'],
  ['a name with a control character', { sizeBytes: MiB, name: 'a\u001b[2J' }, 400, 'invalidRequest'],
  ['a name with half a character', '{"sizeBytes":1048576,"name":"\\ud800"}', 400, 'invalidRequest'],
  ['an endless name', { sizeBytes: MiB, name: 'n'.repeat(256) }, 400, 'invalidRequest'],
  ['metadata that is not text', { sizeBytes: MiB, metadata: { a: 1 } }, 400, 'invalidRequest'],
  [
    'too much metadata',
    { sizeBytes: MiB, metadata: Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`k${n}`, ''])) },
    400,
    'invalidRequest',
  ],
  [
    'metadata that would change prototypes',
    '{"sizeBytes":1048576,"metadata":{"__proto__":{"a":"b"}}}',
    400,
    'invalidJsonBody',
  ],
  ['an unknown backend', { sizeBytes: MiB, backend: '../etc' }, 400, 'unknownPlace'],
  ['an unknown image', { imageId: NOWHERE }, 404, 'imageNotFound'],
  ['an unknown snapshot', { snapshotId: '../../etc/passwd' }, 404, 'snapshotNotFound'],
  ['an unknown backup', { backupId: NOWHERE }, 404, 'backupNotFound'],
  ['an endless id', { backupId: 'x'.repeat(65) }, 400, 'invalidRequest'],
  ['an unknown volume to clone', { sourceVolumeId: NOWHERE }, 404, 'volumeNotFound'],
  [
    'a volume and a snapshot as sources',
    { sourceVolumeId: NOWHERE, snapshotId: NOWHERE },
    400,
    'manySources',
  ],
  ['two sources', { imageId: NOWHERE, backupId: NOWHERE }, 400, 'manySources'],
  ['an array', [], 400, 'invalidRequest'],
  ['text that is not JSON', '{"sizeBytes":', 400, 'invalidJsonBody'],
])('A volume with %s is refused and nothing is created', async ([, payload, status, code]) => {
  const { app, database, dispatched } = await startApi()
  const answer = await app.inject({
    method: 'POST',
    url: `${BASE}/volumes`,
    headers: { 'content-type': 'application/json' },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  })
  expect(answer.statusCode).toBe(status)
  expect(answer.json()).toMatchObject({
    error: { code, requestId: answer.headers['x-openstack-request-id'] },
  })
  expect(await database.selectFrom('volumes').select('id').execute()).toEqual([])
  expect(await database.selectFrom('operations').select('id').execute()).toEqual([])
  expect(dispatched).toEqual([])
})

test('A refusal names the field, what was expected and what came', async () => {
  const { app } = await startApi()
  const payload = { sizeBytes: '10G', metadata: { owner: 7 }, colour: 'red' }
  const answer = await app.inject({ method: 'POST', url: `${BASE}/volumes`, payload })
  expect(answer.json().error.message).toBe(
    'Expected body field sizeBytes to be a number, got "10G". Expected body field metadata.owner to be a string, got 7. ' +
      'Expected no unknown fields in the body, got "colour".',
  )
})

test.for<[string, string, number, string]>([
  ['GET', '/volumes/..%2f..%2fetc%2fpasswd', 404, 'volumeNotFound'],
  ['GET', '/volumes/%00', 404, 'volumeNotFound'],
  ['GET', `/volumes/${'x'.repeat(65)}`, 400, 'invalidRequest'],
  ['GET', `/operations/${NOWHERE}`, 404, 'operationNotFound'],
  ['POST', `/operations/${NOWHERE}/cancel`, 404, 'operationNotFound'],
  ['GET', `/operations/${NOWHERE}/events`, 404, 'operationNotFound'],
  ['DELETE', `/snapshots/${NOWHERE}`, 404, 'snapshotNotFound'],
  ['DELETE', `/backups/${NOWHERE}`, 404, 'backupNotFound'],
  ['DELETE', `/images/${NOWHERE}`, 404, 'imageNotFound'],
  ['DELETE', '/images/..%2f..%2fetc%2fpasswd', 404, 'imageNotFound'],
  ['POST', '/targets/nowhere/collect', 400, 'unknownPlace'],
  ['GET', '/volumes?limit=0', 400, 'invalidRequest'],
  ['GET', '/volumes?limit=1001', 400, 'invalidRequest'],
  ['GET', '/volumes?limit=many', 400, 'invalidRequest'],
  ['GET', '/volumes?colour=red', 400, 'invalidRequest'],
  ['GET', `/volumes?marker=${NOWHERE}`, 404, 'volumeNotFound'],
  ['GET', '/operations?state=sleeping', 400, 'invalidRequest'],
  ['PATCH', '/volumes', 405, 'methodNotAllowed'],
  ['DELETE', '/operations', 405, 'methodNotAllowed'],
  ['PUT', `/volumes/${NOWHERE}`, 405, 'methodNotAllowed'],
  ['GET', '/nothing', 404, 'routeNotFound'],
])('%s %s is answered with a clear error', async ([method, path, status, code]) => {
  const { app } = await startApi()
  const answer = await app.inject({ method: method as 'GET', url: BASE + path })
  expect(answer.statusCode).toBe(status)
  expect(answer.json().error.code).toBe(code)
})

test.for<[string, Record<string, string>, number, string]>([
  ['a project with a path in it', { 'x-project-id': '../other' }, 400, 'invalidHeader'],
  ['an endless project', { 'x-project-id': 'p'.repeat(65) }, 400, 'invalidHeader'],
  ['an endless idempotency key', { 'idempotency-key': 'k'.repeat(129) }, 400, 'invalidHeader'],
  ['the host name of someone else', { host: 'attacker.example' }, 403, 'hostNotAllowed'],
  ['the origin of another site', { origin: 'https://attacker.example' }, 403, 'foreignOrigin'],
  ['no origin to speak of', { origin: 'null' }, 403, 'foreignOrigin'],
  ['a body of plain text', { 'content-type': 'text/plain' }, 415, 'invalidMediaType'],
])('A request with %s is refused', async ([, headers, status, code]) => {
  const { app, database } = await startApi()
  const payload = JSON.stringify({ sizeBytes: MiB })
  const answer = await app.inject({
    method: 'POST',
    url: `${BASE}/volumes`,
    headers: { 'content-type': 'application/json', ...headers },
    payload,
  })
  expect(answer.statusCode).toBe(status)
  expect(answer.json().error.code).toBe(code)
  expect(await database.selectFrom('volumes').select('id').execute()).toEqual([])
})

test('An allowed host name and the own origin are let in', async () => {
  const { app } = await startApi({ allowedHosts: ['volflow.internal'] })
  const headers = { host: 'volflow.internal:8780', origin: 'http://volflow.internal:8780' }
  expect((await app.inject({ url: `${BASE}/volumes`, headers })).statusCode).toBe(200)
})

test('A giant body is refused before it is read', async () => {
  const { app } = await startApi()
  const payload = { sizeBytes: MiB, description: 'x'.repeat(300 * 1024) }
  const answer = await app.inject({ method: 'POST', url: `${BASE}/volumes`, payload })
  expect(answer.statusCode).toBe(413)
  expect(answer.json().error.code).toBe('bodyTooLarge')
})

test('A busy volume is answered with 409 naming the operation that holds it', async () => {
  const { client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  const { resourceId: volumeId } = operation
  await runToEnd(database, operation.id)
  const backup = await client.createBackup({ volumeId })
  await expect(client.deleteVolume(volumeId)).rejects.toMatchObject({
    status: 409,
    code: 'resourceBusy',
    holderOperationId: backup.operation.id,
  })
})

test('A volume smaller than its snapshot is refused', async () => {
  const { client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: 8 * MiB })
  await runToEnd(database, operation.id)
  const snapshot = await client.createSnapshot({ volumeId: operation.resourceId })
  await runToEnd(database, snapshot.operation.id)
  const request = { snapshotId: snapshot.operation.resourceId, sizeBytes: 4 * MiB }
  await expect(client.createVolume(request)).rejects.toMatchObject({ status: 400, code: 'volumeTooSmall' })
})

test('A volume smaller than the disk in its image is refused, and so is an image without data', async () => {
  const { client, database } = await startApi()
  const { id } = await client.createImage({ diskFormat: 'qcow2' })
  const early = client.createVolume({ imageId: id, sizeBytes: MiB })
  await expect(early).rejects.toMatchObject({ status: 409, code: 'invalidStatus' })
  const { operation } = await client.uploadImage(id, new Blob(['bytes']))
  await runToEnd(database, operation.id, { outcome: 'succeeded', result: { virtualSizeBytes: 2 * MiB } })
  const small = client.createVolume({ imageId: id, sizeBytes: MiB })
  await expect(small).rejects.toMatchObject({ status: 400, code: 'volumeTooSmall' })
  expect((await client.createVolume({ imageId: id })).volume).toMatchObject({
    sizeBytes: 2 * MiB,
    bootable: true,
  })
})

test('A deleted volume is no source of anything', async () => {
  const { client, database } = await startApi()
  const created = await client.createVolume({ sizeBytes: MiB })
  await runToEnd(database, created.operation.id)
  const deleted = await client.deleteVolume(created.operation.resourceId)
  await runToEnd(database, deleted.operation.id)
  const request = { volumeId: created.operation.resourceId }
  await expect(client.createSnapshot(request)).rejects.toMatchObject({ status: 404, code: 'volumeNotFound' })
  await expect(client.createBackup(request)).rejects.toMatchObject({ status: 404, code: 'volumeNotFound' })
})

test('What goes wrong inside is answered without saying what, and logged', async () => {
  const { app } = await startApi({ isReady: () => Promise.reject(new Error('secret path /var/lib')) })
  const answer = await app.inject('/readyz')
  expect(answer.statusCode).toBe(500)
  expect(answer.json().error.code).toBe('internalError')
  expect(answer.body).not.toContain('secret')
})
