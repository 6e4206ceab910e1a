import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { readRows } from '../checker/database.ts'
import { runCli } from '../cli/run-cli.ts'
import { startWebhookReceiver } from '../support/webhook-receiver.ts'
import { Installation } from './installation.ts'
import { ended, MiB, until } from './steps.ts'

const ALLOWING = { webhooks: { allowHttp: true, allowedNetworks: ['127.0.0.1/32'] } }
const OUTAGE_MS = 3_000
/** A new control worker has to start, and to wait for the lease of the one before. */
const RECOVERY_MS = 60_000

test('each event arrives, in order and signed, although the receiver is away for a while and the control worker is killed', async () => {
  await using installation = await Installation.start({ config: ALLOWING })
  await using receiver = await startWebhookReceiver()
  const { client } = installation
  const { webhook, secret } = await client.webhooks.create({ url: receiver.url, name: 'ci' })
  receiver.secret = secret
  const tested = await runCli(installation.baseUrl, ['webhook', 'test', 'ci'])
  expect(tested).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^Delivered: answered 204/) as string,
  })

  const killed = installation.servicePid('control-worker').then((pid) => {
    receiver.answer = () => {
      if (receiver.received.length !== 10) return { status: 204 }
      process.kill(pid, 'SIGKILL')
      return undefined
    }
  })
  await killed
  const volumes = Array.from({ length: 6 }, () =>
    ended(installation, client.createVolume({ sizeBytes: MiB })),
  )
  await until('the control worker was killed', () => receiver.received.length >= 10)
  const { resourceId } = await Promise.race(volumes)
  await until('a new one delivers', () => receiver.taken.length >= 12, RECOVERY_MS)

  await receiver.close()
  await ended(installation, client.deleteVolume(resourceId))
  await delay(OUTAGE_MS)
  expect(await client.webhooks.show(webhook.id)).toMatchObject({ status: 'failing' })
  await receiver.open()
  await Promise.all(volumes)
  await until(
    'nothing waits',
    async () => {
      const { status, backlog } = await client.webhooks.show(webhook.id)
      return status === 'active' && backlog === 0
    },
    RECOVERY_MS,
  )

  const logged = readRows(installation.checked())
    .events.filter(({ type }) => type !== 'progress')
    .map(({ id }) => Number(id))
    .toSorted((a, b) => a - b)
  const told = receiver.taken.flatMap(({ data }) => (data.id === undefined ? [] : [data.id]))
  expect([...new Set(told)]).toEqual(logged)
  expect(logged.length).toBeGreaterThanOrEqual(7 * 4)
  // What was in flight when the worker died came twice: to be told apart by its id.
  const tenth = receiver.received[9]
  expect(receiver.taken.map(({ id }) => id)).toContain(tenth?.id)
  expect(receiver.received.every(({ isGenuine }) => isGenuine)).toBe(true)
  const ids = receiver.received.map(({ id }) => id)
  expect(new Set(ids).size).toBe(logged.length + 1)
  const key = (await readFile(join(installation.dataFolder, 'keys/webhook.key'), 'utf8')).trim()
  const secrets = { 'the secret of a webhook': secret.slice('whsec_'.length), 'the key of webhooks': key }
  await expectClean(installation.checked({ secrets }))
}, 180_000)
