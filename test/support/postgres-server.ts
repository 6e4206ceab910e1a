import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { runProcess } from '../../block-io/process.ts'
import { locate } from '../../scripts/setup/locate.ts'
import { startServer } from './server-process.ts'
import { freePort } from '../../scripts/ports.ts'

/** The server refuses to run as root; Debian's package makes this user. */
const USER = 'postgres'
const CONNECTIONS_MAX = 300

export interface PostgresDatabase {
  readonly url: string
  readonly password: string
}

export interface PostgresServer {
  /** Its database `postgres`, from which others are made. */
  readonly admin: PostgresDatabase
  /** As a crash does: every connection breaks, nothing is written any more. */
  stop(): Promise<void>
  /** At its address, with what was committed. */
  startAgain(): Promise<void>
  /** Stops it and removes its files. */
  remove(): Promise<void>
}

/** PostgreSQL as Debian packages it, with passwords and fsync, on 127.0.0.1 alone. It dies with this process, however that ends. */
export async function startPostgres(): Promise<PostgresServer> {
  const password = randomBytes(12).toString('hex')
  const folder = await makeCluster(password)
  const data = join(folder, 'data')
  let port: number | undefined
  let url = ''
  const start = async () => {
    const server = await startServer(async () => {
      port ??= await freePort()
      url = `postgresql://volflow@127.0.0.1:${port}/postgres`
      const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `max_connections=${CONNECTIONS_MAX}`]
      const options = [...settings, 'unix_socket_directories='].flatMap((setting) => ['-c', setting])
      const [program, ...args] = asUser(folder, 'postgres', ['-D', data, ...options])
      return { program, args, isReady: () => answers({ url, password }) }
    })
    return server
  }
  await start()
  const stop = async () => {
    const [program, ...args] = asUser(folder, 'pg_ctl', ['stop', '-s', '-D', data, '-m', 'immediate'])
    await runProcess(program, args)
  }
  return {
    admin: { url, password },
    stop,
    startAgain: async () => void (await start()),
    remove: async () => {
      await stop().catch(() => undefined)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Not in the scratch folder of the run, which the server's user cannot enter. */
async function makeCluster(password: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'volflow-postgres-'))
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  await chmod(folder, 0o700)
  if (process.getuid?.() === 0) await runProcess('chown', ['--recursive', `${USER}:`, folder])
  const [program, ...args] = asUser(folder, 'initdb', [
    ...['-D', join(folder, 'data'), '-U', 'volflow', '--auth=scram-sha-256', `--pwfile=${passwordFile}`],
    ...['--encoding=UTF8', '--no-locale', '--no-sync'],
  ])
  await runProcess(program, args)
  return folder
}

/** Where we are not root, we are the server's user. The signal of our death is set last: a change of user would clear it. */
function asUser(folder: string, program: string, args: readonly string[]): [string, ...string[]] {
  const path = locate(program)
  if (path === undefined)
    throw new Error(`Expected PostgreSQL (${program}) to be installed. Run: npm run setup`)
  const user = process.getuid?.() === 0 ? [`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups'] : []
  const inFolder = ['env', `--chdir=${folder}`, 'setpriv', '--pdeathsig', 'KILL', '--']
  return ['setpriv', ...user, '--', ...inFolder, path, ...args]
}

async function answers(database: PostgresDatabase): Promise<boolean> {
  return withClient(database, () => Promise.resolve()).then(
    () => true,
    () => false,
  )
}

/** A database of its own, empty or as `template` is; `drop` breaks connections that are left. */
export async function makeDatabase(
  admin: PostgresDatabase,
  template = 'template1',
): Promise<PostgresDatabase & { drop: () => Promise<void> }> {
  const name = `t${randomBytes(8).toString('hex')}`
  await withClient(admin, (client) => client.query(`create database ${name} template ${template}`))
  const url = new URL(admin.url)
  url.pathname = `/${name}`
  const drop = () =>
    withClient(admin, (client) => client.query(`drop database if exists ${name} with (force)`))
  return { url: url.href, password: admin.password, drop: async () => void (await drop()) }
}

async function withClient<Result>(
  { url, password }: PostgresDatabase,
  use: (client: Client) => Promise<Result>,
): Promise<Result> {
  const { hostname, port, username, pathname } = new URL(url)
  const client = new Client({
    ...{ host: hostname, port: Number(port), user: username, password },
    database: pathname.slice(1),
  })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}
