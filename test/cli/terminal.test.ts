import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { startApi, type TestApi } from '../api/start-api.ts'
import { CLI, playWorker } from './run-cli.ts'

const END = { outcome: 'succeeded', result: { path: 'copy' } } as const

test('On a terminal a command waits with a bar that is drawn anew on one line', async () => {
  const api = await startWorking(400)
  const { output, exitCode } = await inTerminal(api.url, 'volume create --size 1G', 100)
  expect(exitCode).toBe(0)
  expect(output).toMatch(
    /copying {2}\[#{15}-{15}\] {2} 50 % {2}512 MiB of 1 GiB {2}[\d.]+ MiB\/s {2}0:0\d left/,
  )
  expect(output).toContain('\r\u001b[J')
  const lines = output.trimEnd().split('\n')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/create-volume [0-9a-f-]{36} succeeded after \d\.\d s, path copy/)
})

test('On a narrow terminal the line is as short as it must be', async () => {
  const api = await startWorking(200)
  const { output } = await inTerminal(api.url, 'volume create --size 1G', 30)
  const drawn = output.split('\r\u001b[J').map(stripVTControlCharacters)
  expect(drawn.some((line) => line.includes('copying'))).toBe(true)
  for (const line of drawn.slice(0, -1)) expect(line.length).toBeLessThan(30)
})

test('Colours are left out where NO_COLOR is set', async () => {
  const api = await startWorking(10)
  const { output } = await inTerminal(api.url, 'volume list', 100, { NO_COLOR: '1' })
  expect(output).not.toContain('\u001b[')
  expect((await inTerminal(api.url, 'volume list', 100)).output).toContain('\u001b[1m')
})

test('The first Ctrl-C stops the waiting, not the operation', async () => {
  const api = await startWorking(2_000)
  const child = execa(process.execPath, [CLI, 'volume', 'create', '--size', '1G', '--wait'], {
    reject: false,
    env: { VOLFLOW_URL: api.url },
  })
  await once(child.stderr, 'data')
  await delay(200)
  child.kill('SIGINT')
  const { exitCode, stderr } = await child
  const [operation] = (await api.client.listOperations()).items
  expect(exitCode).toBe(130)
  expect(stderr).toContain(`volflow operation cancel ${operation?.id}`)
  expect(operation).toMatchObject({ state: 'running', cancelRequested: false })
})

/** Runs the command line on a pseudo terminal of the given width. */
async function inTerminal(url: string, args: string, columns: number, env: Record<string, string> = {}) {
  const command = `stty cols ${columns}; ${process.execPath} ${CLI} ${args}`
  const { stdout, exitCode } = await execa('script', ['-qec', command, '/dev/null'], {
    reject: false,
    stdin: 'ignore',
    timeout: 20_000,
    env: {
      VOLFLOW_URL: url,
      TERM: 'xterm',
      CI: undefined,
      FORCE_COLOR: undefined,
      NODE_NO_WARNINGS: '1',
      ...env,
    },
  })
  return { output: stdout, exitCode }
}

async function startWorking(stepMs: number): Promise<TestApi> {
  const api: TestApi = await startApi({
    dispatch: (operationId) => playWorker(api.database, operationId, { stepMs, end: END }),
  })
  return api
}
