/** A whole volflow in a folder of its own, used from outside: over HTTP, and by looking at its processes and files. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type RunningProcess, startProcess } from '../../block-io/process.ts'
import { loadConfig } from '../../config/load.ts'
import type { VolumeDriverConfig } from '../../drivers/volumes/registry.ts'
import { VolflowClient } from '../../sdk/client.ts'
import { childrenOf } from './processes.ts'
import { freePort } from '../ports.ts'

export type ServiceName = 'api' | 'control-worker' | 'data-worker'

/** What the demo's steps need of an installation. */
export interface UsedInstallation {
  readonly client: VolflowClient
  readonly dataFolder: string
  /** Where the volumes are; left out: in the data folder. */
  readonly backend?: VolumeDriverConfig
  /** Of the process that runs now; undefined while it is being started again. Absent where others rely on the processes. */
  readonly pidOf?: (service: ServiceName) => Promise<number | undefined>
  /** What is left is how it was configured and the keys of its backups. It is up again, and knows nothing. Absent: others use it. */
  readonly loseData?: () => Promise<void>
}

export interface Installation extends UsedInstallation {
  readonly apiUrl: string
  readonly webUiUrl: string
  readonly temporalAddress: string
  readonly pid: number
  readonly pidOf: (service: ServiceName) => Promise<number | undefined>
  readonly loseData: () => Promise<void>
  stop(): Promise<void>
}

/** A target as volflow.yaml has it; for S3 the credentials are written to a file beside it. */
export type Target =
  | { readonly driver: 'directory'; readonly path: string }
  | {
      readonly driver: 's3'
      readonly endpoint: string
      readonly bucket: string
      readonly prefix?: string
      readonly accessKeyId: string
      readonly secretAccessKey: string
    }
  | RbdPool

interface RbdPool {
  readonly driver: 'rbd'
  readonly pool: string
  readonly user: string
  readonly confFile: string
  readonly keyringFile: string
}

/** A backend as volflow.yaml has it. */
export type Backend = { readonly driver: 'file'; readonly path: string } | RbdPool

const BACKEND_NAME = 'volumes'
const CREDENTIALS_SUFFIX = '-credentials.json'
const SOURCE = fileURLToPath(new URL('../../workers/main.ts', import.meta.url))

export interface InstallationOptions {
  /** The program; by default its source. */
  readonly main?: string
  /** For all of its processes. */
  readonly env?: Readonly<Record<string, string>>
  /** Movers of data at the same time. */
  readonly dataConcurrency?: number
  /** Instead of the folder `volumes`. */
  readonly backend?: Backend
  /** Sections of volflow.yaml, instead of those written here. */
  readonly config?: Readonly<Record<string, unknown>>
}

/** `volflow up` on free ports. Throws with what it said when it does not come up. */
export async function startInstallation(
  dataFolder: string,
  targets: Readonly<Record<string, Target>>,
  signal: AbortSignal,
  { main = SOURCE, env = {}, dataConcurrency = 2, backend, config = {} }: InstallationOptions = {},
): Promise<Installation> {
  const ports = { api: await freePort(), temporal: await freePort(), webUi: await freePort() }
  await mkdir(dataFolder, { recursive: true, mode: 0o700 })
  await writeConfig(dataFolder, ports, { targets, dataConcurrency, ...(backend && { backend }), config })
  const start = () => startUp(main, dataFolder, env, signal)
  let up = await start()
  const apiUrl = `http://127.0.0.1:${ports.api}`
  return {
    client: new VolflowClient({ baseUrl: apiUrl }),
    dataFolder,
    ...(backend && { backend: await openable(dataFolder) }),
    apiUrl,
    webUiUrl: `http://127.0.0.1:${ports.webUi}`,
    temporalAddress: `127.0.0.1:${ports.temporal}`,
    get pid() {
      return up.pid ?? 0
    },
    pidOf: async (service) =>
      (await childrenOf(up.pid ?? 0)).find(({ command }) => command.includes(service))?.pid,
    loseData: async () => {
      await up.stop()
      const isKept = (name: string) =>
        name === 'keys' || name === 'volflow.yaml' || name.endsWith(CREDENTIALS_SUFFIX)
      const lost = (await readdir(dataFolder)).filter((name) => !isKept(name))
      await Promise.all(lost.map((name) => rm(join(dataFolder, name), { recursive: true })))
      up = await start()
    },
    stop: () => up.stop(),
  }
}

/** Until it says that it is up. */
async function startUp(
  main: string,
  dataFolder: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<RunningProcess> {
  const { promise: announced, resolve: onAnnounced } = Promise.withResolvers<void>()
  const temporaryFolder = join(dataFolder, 'tmp')
  await mkdir(temporaryFolder)
  const up = startProcess(process.execPath, [main, 'up', '--data', dataFolder], {
    // What a killed process leaves there goes with the data folder.
    env: { TMPDIR: temporaryFolder, ...env },
    onStdoutLine: (line) => {
      if (line.startsWith('volflow is up')) onAnnounced()
    },
  })
  const { promise: aborted, reject: onAborted } = Promise.withResolvers<never>()
  const abort = () => onAborted(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  const ended = up.exited.then(({ failure, stderr }) => {
    throw new Error(`Expected volflow to come up, got: ${failure?.message ?? stderr}`)
  })
  try {
    signal.throwIfAborted()
    await Promise.race([announced, ended, aborted])
    return up
  } catch (error) {
    await up.stop()
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** As the workers open it. */
async function openable(dataFolder: string): Promise<VolumeDriverConfig> {
  const backend = (await loadConfig(dataFolder)).backends[BACKEND_NAME]
  if (backend === undefined) throw new Error('Expected the configuration that was just written')
  return backend
}

async function writeConfig(
  dataFolder: string,
  ports: { api: number; temporal: number; webUi: number },
  {
    targets,
    dataConcurrency,
    backend,
    config: sections,
  }: { targets: Readonly<Record<string, Target>>; dataConcurrency: number } & Pick<
    InstallationOptions,
    'backend' | 'config'
  >,
): Promise<void> {
  const entries = Object.entries(targets).map(async ([name, target]) => {
    if (target.driver !== 's3') return [name, target] as const
    const { accessKeyId, secretAccessKey, ...rest } = target
    const credentialsFile = `${name}${CREDENTIALS_SUFFIX}`
    const credentials = JSON.stringify({ accessKeyId, secretAccessKey })
    await writeFile(join(dataFolder, credentialsFile), credentials, { mode: 0o600 })
    return [name, { ...rest, credentialsFile }] as const
  })
  const config = {
    api: { port: ports.api },
    identity: { authType: 'none' },
    quotas: { volumes: -1, gigabytes: -1, snapshots: -1, backups: -1, backup_gigabytes: -1 },
    temporal: { port: ports.temporal, uiPort: ports.webUi },
    targets: Object.fromEntries(await Promise.all(entries)),
    ...(backend && { backends: { [BACKEND_NAME]: backend } }),
    workers: { dataConcurrency },
    ...sections,
  }
  // JSON is YAML.
  await writeFile(join(dataFolder, 'volflow.yaml'), JSON.stringify(config, null, 2))
}
