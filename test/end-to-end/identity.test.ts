import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { locate } from '../../scripts/setup/locate.ts'
import { runCli } from '../cli/run-cli.ts'
import { tempDir } from '../support/temp-dir.ts'
import { Installation } from './installation.ts'

const MAIN = join(import.meta.dirname, '../../workers/main.ts')
const OPENSTACK = locate('openstack')

test('The first start makes an administrator, whom volflow and the openstack client find, and nobody else gets in', async () => {
  await using installation = await Installation.start({ config: { identity: { authType: 'own' } } })
  const { dataFolder, baseUrl } = installation
  const clouds = join(dataFolder, 'clouds.yaml')
  expect((await stat(clouds)).mode & 0o777).toBe(0o600)
  await expect(installation.client.listVolumes()).rejects.toMatchObject({ status: 401, code: 'unauthorized' })

  const lost = await runCli(baseUrl, ['volume', 'list'], { HOME: await tempDir() })
  expect(lost.exitCode).toBe(2)
  expect(lost.stderr).toContain('VOLFLOW_DATA')
  // Without --url: it is beside its Keystone.
  const own = { VOLFLOW_DATA: dataFolder, VOLFLOW_URL: '' }
  const cli = (args: string[], env: Record<string, string> = own) => runCli(baseUrl, args, { ...own, ...env })
  const created = await cli(['volume', 'create', '--size', '1M', '--name', 'first', '--wait', '--json'])
  expect([created.exitCode, created.stderr]).toEqual([0, ''])
  expect(JSON.parse(created.stdout).volume ?? JSON.parse(created.stdout)).toBeDefined()

  // The second start makes nobody, and says no password.
  await installation.stop()
  await installation.up()
  const log = await readFile(join(dataFolder, 'log/up.log'), 'utf8')
  expect(log.match(/with the password/g)?.length).toBe(1)
  expect((await cli(['volume', 'list'])).stdout).toContain('first')

  const password = 'the password of ann'
  const user = await execa(
    process.execPath,
    [join(import.meta.dirname, '../../cli/main.ts'), 'user', 'create', 'ann', '--password-file', '-'],
    { input: `${password}\n`, env: { ...own, NODE_NO_WARNINGS: '1' } },
  )
  expect(user.stdout).toContain('ann')
  expect((await cli(['project', 'create', 'lab'])).exitCode).toBe(0)
  expect((await cli(['role', 'add', 'reader', '--user', 'ann', '--in', 'lab'])).exitCode).toBe(0)
  expect((await cli(['role', 'list'])).stdout).toMatch(/ann +reader +lab/)
  const ann = {
    OS_AUTH_URL: `${baseUrl}/identity/v3`,
    ...{ OS_USERNAME: 'ann', OS_PASSWORD: password, OS_PROJECT_NAME: 'lab' },
  }
  expect((await cli(['volume', 'list', '--json'], ann)).stdout).toContain('"items":[]')
  expect((await cli(['volume', 'create', '--size', '1M'], ann)).exitCode).toBe(2)
  expect((await cli(['volume', 'list'], { ...ann, OS_PASSWORD: 'wrong' })).stderr).toContain('was refused')

  if (OPENSTACK === undefined) return
  const env = { OS_CLIENT_CONFIG_FILE: clouds, OS_CLOUD: 'volflow', HOME: await tempDir() }
  const { stdout } = await execa(OPENSTACK, ['token', 'issue', '-f', 'json'], { env, timeout: 60_000 })
  expect(JSON.parse(stdout)).toMatchObject({ project_id: 'default' })
}, 240_000)

test.for(['up', 'api'])(
  'Without authentication, `volflow %s` refuses to listen where others could reach it',
  { timeout: 120_000 },
  async (command) => {
    const { exitCode, stderr } = await execa(process.execPath, [MAIN, command, '--data', await tempDir()], {
      reject: false,
      env: { VOLFLOW_API_HOST: '0.0.0.0', VOLFLOW_IDENTITY_AUTH_TYPE: 'none', NODE_NO_WARNINGS: '1' },
    })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('Expected api.host to be a loopback address')
  },
)
