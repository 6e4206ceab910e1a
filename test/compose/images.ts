/** What the entry points of the images do before the program that they are named after starts. */
import { existsSync } from 'node:fs'
import { chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../../block-io/process.ts'
import type { NativeHost, NativeService } from './native-host.ts'

/** By repository: the argv to start, where it is not the one of docker-compose.yml. Any image that is not here starts as it stands. */
export const ENTRY_POINTS: Readonly<
  Record<string, (host: NativeHost, service: NativeService) => Promise<readonly string[]>>
> = { postgres, 'temporalio/ui': webUi }

/** A server without rights; over an empty folder, the cluster is made first. */
async function postgres(host: NativeHost, { env, name }: NativeService): Promise<readonly string[]> {
  const data = join(host.volume('postgres'), 'data')
  const socket = join(host.folderOf(name), 'tmp')
  const user = await unprivileged()
  for (const folder of [host.volume('postgres'), socket]) await chown(folder, user.uid, user.gid)
  if (!existsSync(data)) {
    const scripts = join(host.folderOf(name), 'docker-entrypoint-initdb.d')
    await makeCluster({ data, socket, scripts, env }, user.flags)
  }
  const server = join(await binFolder(), 'postgres')
  const listen = ['-c', 'listen_addresses=127.0.0.1', '-p', String(host.port(5432)), '-k', socket]
  return ['setpriv', ...user.flags, server, '-D', data, ...listen]
}

/** The scripts run against a server that listens on a socket alone. */
async function makeCluster(
  {
    data,
    socket,
    scripts,
    env,
  }: { data: string; socket: string; scripts: string; env: NativeService['env'] },
  asUser: readonly string[],
): Promise<void> {
  const programs = await binFolder()
  const run = (...argv: readonly string[]) =>
    runProcess('setpriv', [...asUser, ...argv], {
      env: { ...env, PGHOST: socket, PGUSER: 'postgres' },
      timeoutMs: 60_000,
    })
  const control = (...argv: readonly string[]) => run(join(programs, 'pg_ctl'), '-D', data, '-w', ...argv)
  const password = ['--pwfile', env['POSTGRES_PASSWORD_FILE'] ?? '']
  const flags = (env['POSTGRES_INITDB_ARGS'] ?? '').split(' ')
  await run(
    join(programs, 'initdb'),
    '-D',
    data,
    '-U',
    'postgres',
    '--auth-local=trust',
    ...password,
    ...flags,
  )
  await control('-l', join(socket, 'init.log'), '-o', `-k ${socket} -c listen_addresses=`, 'start')
  for (const script of await readdir(scripts)) await run(join(scripts, script))
  await control('-m', 'fast', 'stop')
}

/** PostgreSQL refuses to run as root. */
async function unprivileged(): Promise<{ uid: number; gid: number; flags: readonly string[] }> {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  if (own.uid !== 0) return { ...own, flags: [] }
  const [, , uid = '', gid = ''] =
    /^postgres:.*$/m.exec(await readFile('/etc/passwd', 'utf8'))?.[0].split(':') ?? []
  return { uid: Number(uid), gid: Number(gid), flags: ['--reuid', uid, '--regid', gid, '--clear-groups'] }
}

/** Debian's newest. */
async function binFolder(): Promise<string> {
  const root = '/usr/lib/postgresql'
  const versions = (await readdir(root)).toSorted((a, b) => Number(a) - Number(b))
  return join(root, versions.at(-1) ?? '', 'bin')
}

/** Its start script makes a configuration of the environment. */
async function webUi(host: NativeHost, { name, env }: NativeService): Promise<readonly string[]> {
  const folder = join(host.folderOf(name), 'config')
  await mkdir(folder, { recursive: true })
  const config = {
    temporalGrpcAddress: env['TEMPORAL_ADDRESS'],
    host: '127.0.0.1',
    port: Number(env['TEMPORAL_UI_PORT']),
    enableUi: true,
  }
  await writeFile(join(folder, 'docker.yaml'), JSON.stringify(config))
  return ['temporal-ui-server', '--root', host.folderOf(name), '--env', 'docker', 'start']
}
