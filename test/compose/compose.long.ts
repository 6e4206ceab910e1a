import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { findLogin } from '../../cli/credentials.ts'
import { build } from '../../scripts/build.ts'
import { locate } from '../../scripts/setup/locate.ts'
import { VolflowClient } from '../../sdk/client.ts'
import { readComposeFile, ROOT } from './compose-file.ts'
import { NativeCompose } from './native-compose.ts'
import { NativeHost } from './native-host.ts'

const PROGRAMS = ['temporal-server', 'temporal-sql-tool', 'temporal-ui-server', 'versitygw']
const missing = PROGRAMS.filter((program) => locate(program) === undefined)

beforeAll(async () => {
  const main = await build()
  execFileSync(process.execPath, [main, 'bundle', '--prebuild'])
}, 120_000)

test.skipIf(missing.length > 0)(
  'docker-compose.yml comes up in its order, does the whole job, notices a hung Temporal server, and stops in time',
  async () => {
    const file = await readComposeFile()
    // Not in the run's own folder, which is closed to the user that PostgreSQL runs as.
    const folder = await mkdtemp(join(tmpdir(), 'volflow-compose-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    await using compose = new NativeCompose(await NativeHost.create(folder, file), file)
    const { host } = compose
    await mkdir(host.secretsFolder)
    execFileSync('sh', [join(ROOT, 'deploy/make-secrets.sh'), host.secretsFolder], { stdio: 'ignore' })
    console.log('up, seconds:', await compose.up())

    const api = `http://127.0.0.1:${host.port(8780)}`
    const credentials = {
      OS_AUTH_URL: `${api}/identity/v3`,
      OS_USERNAME: 'admin',
      OS_PASSWORD: (await readFile(join(host.secretsFolder, 'admin-password'), 'utf8')).trim(),
      OS_PROJECT_NAME: 'admin',
    }
    await expect(new VolflowClient({ baseUrl: api }).listVolumes()).rejects.toMatchObject({ status: 401 })
    const demo = execFileSync(
      process.execPath,
      [join(ROOT, 'scripts/demo.ts'), '--api', api, '--data', join(folder, 'volumes'), '--json'],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...credentials } },
    )
    const result = JSON.parse(demo.trim().split('\n').at(-1) ?? '')
    console.log('demo:', result)
    expect(result.identical).toBe(true)
    expect(result.booted).not.toBe(false)

    process.kill(compose.pidOf('temporal'), 'SIGSTOP')
    for (const service of ['data-worker', 'control-worker', 'api'])
      await vi.waitFor(
        () => expect(compose.checkHealth(service)).rejects.toThrow('is not healthy. temporal:'),
        {
          timeout: 30_000,
        },
      )
    process.kill(compose.pidOf('temporal'), 'SIGCONT')
    for (const service of ['data-worker', 'control-worker', 'api'])
      await vi.waitFor(() => compose.checkHealth(service), { timeout: 30_000, interval: 500 })

    await expectToStop(compose)
    // Once more, over what the first time has left.
    console.log('up again, seconds:', await compose.up())
    const login = findLogin(api, credentials)
    const tokens = login === undefined ? {} : { tokens: login.tokens }
    const volumes = await new VolflowClient({ baseUrl: api, ...tokens }).listVolumes()
    expect(volumes.items.map(({ status }) => status)).toEqual(volumes.items.map(() => 'available'))
    expect(volumes.items.length).toBeGreaterThan(2)
    await expectToStop(compose)
  },
)

async function expectToStop(compose: NativeCompose): Promise<void> {
  const stopped = await compose.stop()
  console.log('stop:', stopped)
  for (const { name, seconds, graceSeconds, exit } of stopped) {
    expect.soft(seconds, name).toBeLessThan(graceSeconds)
    expect.soft(exit, name).not.toBe('SIGKILL')
  }
}
