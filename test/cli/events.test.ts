import { expect, test } from 'vitest'
import { MiB } from '../../domain/sizes.ts'
import { runToEnd } from '../api/end-operation.ts'
import { startApi } from '../api/start-api.ts'
import { CLI, runCli } from './run-cli.ts'
import { execa } from 'execa'

test('Events are listed with what happened, page by page, and as documents', async () => {
  const { url, client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  const error = { code: 'full', message: 'The disk is \u001b[2Jfull' }
  await runToEnd(database, operation.id, { outcome: 'failed', error })
  const all = await runCli(url, ['events'])
  const [head, accepted, , ended] = all.stdout.split('\n')
  expect(head).toMatch(/^ID +TIME +EVENT +KIND +OPERATION +DETAIL$/)
  expect(accepted).toMatch(new RegExp(`^1 .*accepted +create-volume +${operation.id}`))
  expect(ended).toMatch(/^3 .*ended .* {2}failed: The disk is {2}\[2Jfull \[full\]$/)
  const page = await runCli(url, ['events', '--limit', '2', '--operation', operation.id])
  expect(page.stderr).toContain('--after 2 shows the next page')
  const rest = await runCli(url, ['events', '--after', '2', '--json'])
  expect(JSON.parse(rest.stdout)).toMatchObject({ items: [{ id: 3, type: 'ended' }], next: null })
  const wrong = await runCli(url, ['events', '--after', 'yesterday'])
  expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('the id of an event') })
})

test('Following prints each event as it comes, until Ctrl-C', async () => {
  const { url, client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  const following = execa(process.execPath, [CLI, 'events', '--follow', '--after', '0', '--json'], {
    env: { VOLFLOW_URL: url, NODE_NO_WARNINGS: '1' },
    stdin: 'ignore',
    timeout: 20_000,
    reject: false,
  })
  const seen: unknown[] = []
  for await (const line of following) {
    const event = JSON.parse(line) as { id: number; type: string }
    seen.push([event.id, event.type])
    if (event.id === 1) await runToEnd(database, operation.id)
    if (event.id === 3) following.kill('SIGINT')
  }
  expect(seen).toEqual([
    [1, 'accepted'],
    [2, 'started'],
    [3, 'ended'],
  ])
  expect((await following).exitCode).toBe(0)
})
