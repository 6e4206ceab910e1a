import { expect, test } from 'vitest'
import { MiB } from '../../domain/sizes.ts'
import { runToEnd } from './end-operation.ts'
import { startApi } from './start-api.ts'

test('An operation is paused, limited and resumed, and shows it', async () => {
  const { client } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  expect(operation).toMatchObject({ paused: false, rateLimitBytes: null, waitingFor: null })
  const paused = await client.changeOperation(operation.id, { paused: true, rateLimitBytes: 50 * MiB })
  expect(paused).toMatchObject({ paused: true, rateLimitBytes: 50 * MiB })
  const resumed = await client.changeOperation(operation.id, { paused: false })
  expect(resumed).toMatchObject({ paused: false, rateLimitBytes: 50 * MiB })
  expect(await client.changeOperation(operation.id, { rateLimitBytes: null })).toMatchObject({
    rateLimitBytes: null,
  })
})

test('A backend is listed with its pause and limit, and an unknown one is refused', async () => {
  const { client } = await startApi()
  const { items } = await client.listBackends()
  const name = items[0]?.name ?? ''
  expect(items[0]).toEqual({ name, paused: false, rateLimitBytes: null })
  await client.changeBackend(name, { rateLimitBytes: 200 * MiB })
  expect(await client.changeBackend(name, { paused: true })).toEqual({
    name,
    paused: true,
    rateLimitBytes: 200 * MiB,
  })
  expect((await client.listBackends()).items[0]).toMatchObject({ paused: true })
  await expect(client.changeBackend('nowhere', { paused: true })).rejects.toMatchObject({
    status: 404,
    code: 'backendNotFound',
  })
})

test.each([
  ['nothing at all', {}],
  ['a limit below what is held exactly', { rateLimitBytes: 1 }],
  ['a limit that is no number', { rateLimitBytes: '50M' }],
  ['an unknown field', { pause: true }],
])('A change of %s is a bad request, and nothing changes', async (_, change) => {
  const { client } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  await expect(client.changeOperation(operation.id, change as object)).rejects.toMatchObject({ status: 400 })
  expect(await client.showOperation(operation.id)).toMatchObject({ paused: false, rateLimitBytes: null })
})

test('What has ended cannot be paused or abandoned, and another project’s operation is not found', async () => {
  const { client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  await runToEnd(database, operation.id)
  const ended = { status: 409, code: 'operationEnded' }
  await expect(client.changeOperation(operation.id, { paused: true })).rejects.toMatchObject(ended)
  await expect(client.abandonOperation(operation.id)).rejects.toMatchObject(ended)
  await expect(client.changeOperation('unknown', { paused: true })).rejects.toMatchObject({ status: 404 })
})
