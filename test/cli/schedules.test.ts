import { expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../cli/duration.ts'
import { MiB } from '../../domain/sizes.ts'
import { runToEnd } from '../api/end-operation.ts'
import { startApi } from '../api/start-api.ts'
import { runCli } from './run-cli.ts'

test.for<[string, number | undefined]>([
  ['90s', 90],
  ['15m', 900],
  ['6h', 21_600],
  ['7d', 604_800],
  ['15', undefined],
  ['1.5h', undefined],
  ['-1h', undefined],
  ['1w', undefined],
])('the duration %s is %s seconds', ([text, seconds]) => {
  expect(parseDuration(text)).toBe(seconds)
})

test('durations are shown in the largest unit that divides them', () => {
  expect([0, 90, 900, 5400, 86_400].map(formatDuration)).toEqual(['0s', '90s', '15m', '90m', '1d'])
})

test('A schedule is created, shown, changed, paused, run and deleted by name', async () => {
  const { url, client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB, name: 'root' })
  await runToEnd(database, operation.id)
  const cli = (...args: string[]) => runCli(url, ['schedule', ...args])
  const created = await cli(
    'create',
    'root',
    '--name',
    'nightly',
    '--cron',
    '30 2 * * *',
    '--full-every',
    'never',
  )
  expect(created.exitCode).toBe(0)
  expect(created.stdout).toMatch(/status +active \(not applied yet\)/)
  expect(created.stdout).toMatch(/when +30 2 \* \* \* UTC/)
  expect(created.stdout).toMatch(/full backup +only the first/)
  const changed = await cli('update', 'nightly', '--every', '6h', '--catch-up', '90m', '--json')
  expect(JSON.parse(changed.stdout)).toMatchObject({
    intervalSeconds: 21_600,
    catchUpSeconds: 5_400,
    cron: null,
  })
  expect((await cli('list')).stdout).toMatch(/nightly +active.* every 6h /)
  expect((await cli('pause', 'nightly', '--note', 'moving house')).stdout).toMatch(/note +moving house/)
  const run = JSON.parse((await cli('run', 'nightly', '--json')).stdout) as { operation: { id: string } }
  const again = await cli('run', 'nightly')
  expect(again).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining(`volflow operation watch ${run.operation.id}`) as string,
  })
  expect((await cli('runs', 'nightly')).stdout).toMatch(
    new RegExp(`by hand +\\S+ +started .* full .*${run.operation.id}`),
  )
  expect((await cli('delete', 'nightly')).exitCode).toBe(0)
  expect(await cli('show', 'nightly')).toMatchObject({ exitCode: 3 })
})

test.for<[string[], RegExp]>([
  [['--every', 'often'], /Expected a duration such as 90s/],
  [['--cron', '0 0 * *'], /five fields/],
  [['--every', '1h', '--overlap', 'allow'], /Allowed choices are skip, wait/],
  [['--every', '1h', '--full-every', '0'], /Expected a whole number from 1, or never/],
])('Options %j are refused as wrong usage', async ([options, message]) => {
  const { url, client } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  const args = ['schedule', 'create', operation.resourceId, '--name', 'a', ...options]
  const { exitCode, stderr } = await runCli(url, args)
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(message)
})
