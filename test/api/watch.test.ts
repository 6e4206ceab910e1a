import { get } from 'node:http'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { MiB } from '../../domain/sizes.ts'
import { VolflowClient } from '../../sdk/client.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { acquireAttempt, renewAttempt } from '../../database/operations/attempts.ts'
import { runToEnd } from './end-operation.ts'
import { startApi } from './start-api.ts'

test('A watcher sees each change and the end', async () => {
  const { client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  const seen: string[] = []
  const steps = [
    () => beginOperation(database, operation.id),
    async () => {
      const attempt = await acquireAttempt(
        database,
        { operationId: operation.id, activity: 'copy' },
        Date.now(),
      )
      if ('waitMs' in attempt) throw new Error('Expected the lease to be free')
      const progress = { phase: 'copying', doneBytes: 1, totalBytes: 2, movedBytes: 1 }
      await renewAttempt(database, attempt, Date.now(), progress)
    },
    () => runToEnd(database, operation.id),
  ]
  for await (const { state, phase } of client.watchOperation(operation.id)) {
    const step = `${state} ${phase ?? '-'}`
    // That an attempt began is a change, too, seen or not.
    if (step === seen.at(-1)) continue
    seen.push(step)
    await steps.shift()?.()
  }
  expect(seen).toEqual(['pending -', 'running -', 'running copying', 'succeeded copying'])
})

test('A watcher of an ended operation gets its end at once', async () => {
  const { client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  await runToEnd(database, operation.id)
  expect(await client.waitForOperation(operation.id)).toMatchObject({
    state: 'succeeded',
    result: { path: 'blank' },
  })
})

test('Closing the API does not wait for watchers', async () => {
  const { app, url, client } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  const request = get(`${url}/operations/v1/operations/${operation.id}/events`)
  const [response] = await once(request, 'response')
  expect(response.headers['content-type']).toBe('text/event-stream')
  const startedMs = performance.now()
  const ended = once(response.resume(), 'end')
  await app.close()
  await ended
  expect(performance.now() - startedMs).toBeLessThan(1_500)
})

test('A wait that is aborted ends with the reason', async () => {
  const { client } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  const reason = new Error('enough')
  const wait = client.waitForOperation(operation.id, { signal: AbortSignal.abort(reason) })
  await expect(wait).rejects.toBe(reason)
})

test('A watch goes on where the stream was broken', async () => {
  const { client: direct, database, url } = await startApi()
  const { operation } = await direct.createVolume({ sizeBytes: MiB })
  let streams = 0
  const client = new VolflowClient({
    baseUrl: url,
    fetch: async (input, init) => {
      streams += 1
      if (streams === 1) throw new TypeError('fetch failed')
      if (streams === 2) return new Response('event: operation\nda')
      return fetch(input, init)
    },
  })
  setTimeout(() => void runToEnd(database, operation.id), 500)
  expect((await client.waitForOperation(operation.id)).state).toBe('succeeded')
  expect(streams).toBe(3)
})

test('A watch of something that does not exist fails at once', async () => {
  const { client } = await startApi()
  await expect(client.waitForOperation('nothing')).rejects.toMatchObject({
    status: 404,
    code: 'operationNotFound',
  })
})
