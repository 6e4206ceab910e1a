import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventView } from '../../api/native/views.ts'
import { loadWebhookKey } from '../../config/secrets.ts'
import { dueWebhooks } from '../../database/webhooks/turns.ts'
import { MiB } from '../../domain/sizes.ts'
import { Destinations } from '../../webhooks/destinations.ts'
import { takeTurn } from '../../webhooks/turn.ts'
import { runToEnd } from '../api/end-operation.ts'
import { startApi, type TestApi } from '../api/start-api.ts'
import { startWebhookReceiver } from '../support/webhook-receiver.ts'
import { runCli } from './run-cli.ts'

/** What a control worker does while the command runs. */
async function deliverDuring<T>({ database, webhooks }: TestApi, command: Promise<T>): Promise<T> {
  const key = await loadWebhookKey(webhooks.keyFile)
  const deps = { database, key, destinations: new Destinations(webhooks), view: eventView }
  let isOver = false
  const delivering = (async () => {
    while (!isOver) {
      for (const id of await dueWebhooks(database, 1, Date.now()))
        await takeTurn(deps, id, AbortSignal.any([]))
      await delay(20)
    }
  })()
  const answer = await command.finally(() => (isOver = true))
  await delivering
  return answer
}

test('A webhook is created, tested, changed, disabled, retried and deleted by name', async () => {
  const api = await startApi()
  await using receiver = await startWebhookReceiver()
  const cli = (...args: string[]) => runCli(api.url, ['webhook', ...args])
  const created = await cli('create', receiver.url, '--name', 'ci', '--event', 'ended', 'accepted')
  expect(created).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('not shown again') as string })
  expect(created.stdout).toMatch(/events +ended, accepted/)
  receiver.secret = /secret +(whsec_\S+)/.exec(created.stdout)?.[1] ?? ''

  const tested = await deliverDuring(api, cli('test', 'ci'))
  expect(tested).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^Delivered: answered 204/) as string,
  })
  expect(receiver.taken).toMatchObject([{ type: 'webhook.test', isGenuine: true }])
  receiver.answer = () => ({ status: 500 })
  const failed = await deliverDuring(api, cli('test', 'ci', '--json'))
  expect(failed.exitCode).toBe(1)
  expect(JSON.parse(failed.stdout)).toMatchObject({ outcome: 'failed', statusCode: 500 })
  expect((await cli('deliveries', 'ci')).stdout).toMatch(/2 .* webhook.test +- +failed +500 .*answered 500/)

  const changed = await cli('update', 'ci', '--event', 'default', '--kind', 'create-volume', '--json')
  expect(JSON.parse(changed.stdout)).toMatchObject({ eventTypes: null, kinds: ['create-volume'] })
  expect((await cli('disable', 'ci')).stdout).toMatch(/status +disabled\n.*By a user/)
  const { operation } = await api.client.createVolume({ sizeBytes: MiB })
  await runToEnd(api.database, operation.id)
  expect((await cli('list')).stdout).toMatch(/ci +disabled +3 +http/)
  expect((await cli('retry', 'ci', '--after', '2')).stdout).toMatch(/status +active[^]*waiting +1\n/)
  expect((await cli('retry', 'ci', '--after', 'newest')).stdout).toMatch(/waiting +0\n/)
  const rotated = await cli('rotate-secret', 'ci', '--keep-old', '0s')
  expect(rotated.stdout).toMatch(/secret +whsec_/)
  expect(rotated.stdout).not.toContain(receiver.secret)
  expect((await cli('delete', 'ci')).exitCode).toBe(0)
  expect(await cli('show', 'ci')).toMatchObject({ exitCode: 3 })
}, 60_000)

test.for<[string[], RegExp]>([
  [['create', 'http://10.0.0.1/'], /Expected a public address, got one of another kind: private/],
  [['create', 'https://example.org/', '--event', 'exploded'], /Allowed choices are accepted/],
  [['create', 'https://example.org/', '--kind', 'mine-coins'], /Allowed choices are/],
  [['retry', 'ci', '--after', 'yesterday'], /Expected the id of an event, 0, or newest/],
  [['rotate-secret', 'ci', '--keep-old', 'long'], /Expected a duration such as 0s/],
])('Options %j are refused as wrong usage', async ([args, message]) => {
  const { url } = await startApi()
  const { exitCode, stderr } = await runCli(url, ['webhook', ...args])
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(message)
})
