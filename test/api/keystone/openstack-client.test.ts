import { execa } from 'execa'
import { expect, test } from 'vitest'
import { locate } from '../../../scripts/setup/locate.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { ADMIN, startKeystone } from './start-keystone.ts'

const OPENSTACK = locate('openstack')

/** The unmodified client of Debian, which takes a second or two to start. */
test.skipIf(OPENSTACK === undefined)(
  'The openstack client logs in, lists, and administrates',
  { timeout: 300_000 },
  async () => {
    const { url } = await startKeystone()
    const home = await tempDir()
    const run = async (args: string[], user = ADMIN, project = 'admin') => {
      const { stdout } = await execa(OPENSTACK ?? '', [...args, '-f', 'json'], {
        extendEnv: false,
        timeout: 60_000,
        env: { PATH: process.env.PATH, HOME: home, ...credentials(url, user, project) },
      })
      return stdout === '' ? null : JSON.parse(stdout)
    }
    const quietly = async (args: string[], user = ADMIN, project = 'admin') => {
      await execa(OPENSTACK ?? '', args, {
        extendEnv: false,
        timeout: 60_000,
        env: { PATH: process.env.PATH, HOME: home, ...credentials(url, user, project) },
      })
    }
    expect(await run(['token', 'issue'])).toMatchObject({ project_id: 'default' })
    const types = (await run(['catalog', 'list'])).map(({ Type }: { Type: string }) => Type)
    expect(types.toSorted()).toEqual(['block-storage', 'block-store', 'identity', 'image', 'volumev3'])
    const made = await run(['project', 'create', 'lab', '--description', 'of the lab'])
    expect(made).toMatchObject({ name: 'lab', domain_id: 'default', enabled: true })
    const ann = { name: 'ann', password: 'the password of ann' }
    await run(['user', 'create', 'ann', '--password', ann.password, '--project', 'lab'])
    await quietly(['role', 'add', 'member', '--user', 'ann', '--project', 'lab'])
    expect((await run(['project', 'list'])).map(({ Name }: { Name: string }) => Name)).toEqual([
      'admin',
      'lab',
    ])
    const assignments = await run(['role', 'assignment', 'list', '--user', 'ann', '--names'])
    expect(assignments).toMatchObject([{ Role: 'member', User: 'ann@Default', Project: 'lab@Default' }])
    expect(await run(['token', 'issue'], ann, 'lab')).toMatchObject({ project_id: made.id })
    // Who may not list all projects is shown his own.
    expect((await run(['project', 'list'], ann, 'lab')).map(({ Name }: { Name: string }) => Name)).toEqual([
      'lab',
    ])
    const robot = await run(['application', 'credential', 'create', 'robot'], ann, 'lab')
    expect(robot).toMatchObject({ name: 'robot', project_id: made.id })
    await quietly(['application', 'credential', 'delete', 'robot'], ann, 'lab')
    await quietly(['user', 'delete', 'ann'])
    expect((await run(['user', 'list'])).map(({ Name }: { Name: string }) => Name)).toEqual(['admin'])
  },
)

function credentials(url: string, { name, password }: typeof ADMIN, project: string) {
  return {
    OS_AUTH_URL: `${url}/identity/v3`,
    OS_IDENTITY_API_VERSION: '3',
    OS_USERNAME: name,
    OS_PASSWORD: password,
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_PROJECT_NAME: project,
  }
}
