import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'
import { VolflowClient } from '../../sdk/client.ts'
import type { CheckedInstallation, RbdPlaceToCheck, S3Place } from '../checker/installation.ts'
import { processesUnder } from '../checker/processes.ts'
import { type CountingProxy, startCountingProxy } from '../faults/proxy.ts'
import type { PostgresDatabase } from '../support/postgres-server.ts'
import { ON_POSTGRES } from '../support/postgres-wanted.ts'
import { type S3Server, startVersityGw } from '../support/s3-servers.ts'
import { postgresDatabase } from '../support/temporary-database.ts'
import { processTree } from './processes.ts'
import { SUBREAPER } from './subreaper.ts'
import { freePort } from '../../scripts/ports.ts'

const MAIN = fileURLToPath(new URL('../../workers/main.ts', import.meta.url))
const READY_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 40_000
const START_ATTEMPTS_MAX = 3
const GUEST_SOCKETS = 'guests'

export interface InstallationOptions {
  /** Adds a target `s3`: VersityGW behind a counting proxy. */
  readonly s3?: boolean
  /** Adds a backend `rbd`. */
  readonly rbd?: RbdPlaceToCheck
  /** Adds a target `pool`. */
  readonly rbdTarget?: RbdPlaceToCheck
  /** Adds a store `rbd`, and makes it the first. */
  readonly rbdStore?: RbdPlaceToCheck
  /** Default: a SQLite file, or a new database where the tests run on PostgreSQL. */
  readonly database?: PostgresDatabase
  /** Merged into volflow.yaml. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
  /** `upPid` is then a subreaper above it; see subreaper.ts. */
  readonly subreaper?: boolean
  /** Where its folder is made; default: the scratch folder of the test run. */
  readonly parentFolder?: string
  /** Called with the data folder before the first start; what it answers is called at the end. */
  readonly prepare?: (dataFolder: string) => () => void
}

/** With a folder for the QMP sockets of guests. With `rbd`, that is the default backend. */
export function withGuestSockets(rbd?: RbdPlaceToCheck) {
  const guestSockets = GUEST_SOCKETS
  const files = { driver: 'file', path: 'volumes', guestSockets }
  const backends = rbd === undefined ? { files } : { rbd: { driver: 'rbd', ...rbd, guestSockets }, files }
  return { ...(rbd && { rbd }), config: { backends } }
}

/** A real `volflow up` over a folder of its own. Dispose of it: it ends with everything it started, and its folder goes. */
export class Installation implements AsyncDisposable {
  readonly folder: string
  readonly dataFolder: string
  readonly #options: InstallationOptions
  #ports = { api: 0, temporal: 0, ui: 0 }
  #child: ChildProcess | undefined
  #undo: (() => void) | undefined
  #database: (PostgresDatabase & { readonly drop?: () => Promise<void> }) | undefined
  #s3: { server: S3Server; proxy: CountingProxy; place: S3Place } | undefined

  private constructor(folder: string, options: InstallationOptions) {
    this.folder = folder
    this.dataFolder = join(folder, 'data')
    this.#options = options
  }

  static async start(options: InstallationOptions = {}): Promise<Installation> {
    const parent = options.parentFolder ?? inject('scratchFolder')
    // Short: paths of unix sockets have room for 108 characters.
    const installation = new Installation(await mkdtemp(join(parent, 'e2e-')), options)
    try {
      await mkdir(installation.#temporaryFolder)
      await mkdir(join(installation.dataFolder, 'log'), { recursive: true })
      await mkdir(installation.guestSockets)
      // Bundling takes two seconds and gives the same for each installation.
      await cp(join(parent, 'workflow-bundles'), join(installation.dataFolder, 'cache'), {
        recursive: true,
      }).catch(() => undefined)
      installation.#undo = options.prepare?.(installation.dataFolder)
      installation.#database = options.database ?? (ON_POSTGRES ? await postgresDatabase() : undefined)
      if (options.s3 === true) installation.#s3 = await startS3(installation.folder)
      await installation.#startOnFreePorts()
      await cp(join(installation.dataFolder, 'cache'), join(parent, 'workflow-bundles'), { recursive: true })
      return installation
    } catch (error) {
      await installation[Symbol.asyncDispose]()
      throw error
    }
  }

  get client(): VolflowClient {
    return new VolflowClient({ baseUrl: this.baseUrl })
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${this.#ports.api}`
  }

  get temporalAddress(): string {
    return `127.0.0.1:${this.#ports.temporal}`
  }

  get proxy(): CountingProxy {
    if (this.#s3 === undefined) throw new Error('Expected an installation with S3')
    return this.#s3.proxy
  }

  get guestSockets(): string {
    return join(this.dataFolder, GUEST_SOCKETS)
  }

  get #temporaryFolder(): string {
    return join(this.folder, 'tmp')
  }

  get upPid(): number {
    if (this.#child?.pid === undefined || this.#child.exitCode !== null)
      throw new Error('Expected volflow to be up')
    return this.#child.pid
  }

  /** Runs it again over the same folder and ports. Resolves when it is ready. */
  async up(): Promise<void> {
    const log = await open(join(this.dataFolder, 'log/up.log'), 'a')
    const dieWithUs = ['setpriv', '--pdeathsig', 'KILL', '--']
    const above = this.#options.subreaper === true ? [...dieWithUs, ...SUBREAPER] : []
    const [program, ...args] = [
      ...above,
      ...dieWithUs,
      process.execPath,
      MAIN,
      'up',
      '--data',
      this.dataFolder,
    ]
    const child = spawn(program, args, {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        TMPDIR: this.#temporaryFolder,
        ...this.#options.env,
      },
      stdio: ['ignore', log.fd, log.fd],
    })
    this.#child = child
    const ended = once(child, 'exit')
    await log.close()
    const deadlineMs = Date.now() + READY_TIMEOUT_MS
    while (!(await this.#isReady())) {
      const exit = await Promise.race([ended, sleep(50)])
      if (exit !== undefined || Date.now() > deadlineMs) {
        const text = await readFile(join(this.dataFolder, 'log/up.log'), 'utf8')
        throw new Error(`Expected volflow to become ready, got: ${text.slice(-2_000)}`)
      }
    }
  }

  /** As Ctrl-C does. Answers the exit code. */
  async stop(): Promise<number | null> {
    return this.#end((child) => child.kill('SIGINT'))
  }

  /** The parent alone dies; what becomes of the others is up to them. */
  async kill9Parent(): Promise<void> {
    await this.#end((child) => child.kill('SIGKILL'))
  }

  /** Parent first, so that it starts nothing again. */
  async kill9All(): Promise<void> {
    const tree = await processTree(this.upPid)
    await this.#end(() => tree.forEach(({ pid }) => killIfThere(pid)))
  }

  /** One that was killed a moment ago is waited for: it is started again. */
  async servicePid(service: 'data-worker' | 'control-worker' | 'api' | 'temporal'): Promise<number> {
    const pattern = service === 'temporal' ? / server start-dev / : new RegExp(`main\\.ts ${service} `)
    const deadlineMs = Date.now() + READY_TIMEOUT_MS
    for (;;) {
      const found = (await processTree(this.upPid)).filter(({ command }) => pattern.test(command))
      if (found.length === 1 && found[0] !== undefined) return found[0].pid
      if (Date.now() > deadlineMs) throw new Error(`Expected one ${service}, found ${found.length}`)
      await sleep(50)
    }
  }

  /** For the checker. */
  checked(
    options: Pick<CheckedInstallation, 'collected' | 'secrets' | 'cinderTargets'> = {},
  ): CheckedInstallation {
    const isUp = this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
    const inData = (path: string) => join(this.dataFolder, path)
    return {
      dataFolder: this.dataFolder,
      temporaryFolder: this.#temporaryFolder,
      backupKeyFile: inData('keys/backup.key'),
      backends: { files: inData('volumes') },
      stores: { local: inData('images') },
      targets: {
        local: { kind: 'directory', path: inData('backups') },
        ...(this.#s3 === undefined ? {} : { s3: this.#s3.place }),
      },
      secretFiles: [inData('s3.json'), inData('database-password'), inData('keys/webhook.key')],
      ...(this.#options.rbd && { rbdBackends: { rbd: this.#options.rbd } }),
      ...(this.#options.rbdStore && { rbdStores: { rbd: this.#options.rbdStore } }),
      ...(this.#options.rbdTarget && { rbdTargets: { pool: this.#options.rbdTarget } }),
      ...(this.#database && { database: { url: this.#database.url, password: this.#database.password } }),
      ...options,
      ...(isUp && {
        runningPid: this.upPid,
        temporal: { address: this.temporalAddress, namespace: 'default' },
      }),
    }
  }

  volumeFolder(volumeId: string): string {
    return join(this.dataFolder, 'volumes/volumes', volumeId)
  }

  snapshotFolder(volumeId: string, snapshotId: string): string {
    return join(this.dataFolder, 'volumes/snapshots', `${volumeId}.${snapshotId}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      await this.kill9All()
    }
    for (const { pid } of await processesUnder([this.dataFolder, this.#temporaryFolder])) killIfThere(pid)
    this.#s3?.proxy.stop()
    await this.#s3?.server.stop()
    await this.#database?.drop?.()
    this.#undo?.()
    await rm(this.folder, { recursive: true, force: true })
  }

  async #startOnFreePorts(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#ports = { api: await freePort(), temporal: await freePort(), ui: await freePort() }
      await this.#writeConfig()
      try {
        return await this.up()
      } catch (error) {
        if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.kill9All()
        const isTaken = error instanceof Error && /EADDRINUSE|address already in use/.test(error.message)
        if (!isTaken || attempt === START_ATTEMPTS_MAX) throw error
      }
    }
  }

  async #writeConfig(): Promise<void> {
    const targets: Record<string, unknown> = { local: { driver: 'directory', path: 'backups' } }
    if (this.#s3 !== undefined) {
      const { endpoint, region, bucket, prefix, accessKeyId, secretAccessKey } = this.#s3.place
      targets.s3 = { driver: 's3', endpoint, region, bucket, prefix, credentialsFile: 's3.json' }
      const credentials = JSON.stringify({ accessKeyId, secretAccessKey })
      await writeFile(join(this.dataFolder, 's3.json'), credentials, { mode: 0o600 })
    }
    if (this.#options.rbdTarget !== undefined) targets.pool = { driver: 'rbd', ...this.#options.rbdTarget }
    if (this.#database !== undefined)
      await writeFile(join(this.dataFolder, 'database-password'), this.#database.password, { mode: 0o600 })
    const config = {
      ...(this.#database && {
        database: { url: this.#database.url, passwordFile: 'database-password' },
      }),
      api: { port: this.#ports.api },
      identity: { authType: 'none' },
      quotas: { volumes: -1, gigabytes: -1, snapshots: -1, backups: -1, backup_gigabytes: -1 },
      temporal: { port: this.#ports.temporal, uiPort: this.#ports.ui },
      targets,
      ...(this.#options.rbd && {
        backends: {
          files: { driver: 'file', path: 'volumes' },
          rbd: { driver: 'rbd', ...this.#options.rbd },
        },
      }),
      ...(this.#options.rbdStore && {
        stores: {
          rbd: { driver: 'rbd', ...this.#options.rbdStore },
          local: { driver: 'file', path: 'images' },
        },
      }),
      ...this.#options.config,
    }
    // JSON is YAML, too.
    await writeFile(join(this.dataFolder, 'volflow.yaml'), JSON.stringify(config))
  }

  async #isReady(): Promise<boolean> {
    return fetch(`${this.baseUrl}/readyz`).then(
      (response) => response.ok,
      () => false,
    )
  }

  async #end(kill: (child: ChildProcess) => void): Promise<number | null> {
    const child = this.#child
    if (child === undefined) throw new Error('Expected volflow to have been started')
    const ended = once(child, 'exit') as Promise<[number | null]>
    kill(child)
    const result = await Promise.race([ended, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })])
    if (result === undefined)
      throw new Error(`Expected volflow to end within ${STOP_TIMEOUT_MS} ms, it did not`)
    return result[0]
  }
}

async function startS3(folder: string): Promise<{ server: S3Server; proxy: CountingProxy; place: S3Place }> {
  const objects = join(folder, 's3')
  await mkdir(objects)
  const server = await startVersityGw(objects)
  const proxy = await startCountingProxy(Number(new URL(server.endpoint).port))
  await server.createBucket('backups')
  const { region, accessKeyId, secretAccessKey } = server
  const endpoint = `http://127.0.0.1:${proxy.port}`
  const place = {
    kind: 's3',
    endpoint,
    region,
    accessKeyId,
    secretAccessKey,
    bucket: 'backups',
    prefix: 'cloud/',
  } as const
  return { server, proxy, place }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
