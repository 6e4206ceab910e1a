import { mkdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { Config } from '../config/config.ts'
import { loadWebhookKey } from '../config/secrets.ts'
import { LIMITS } from '../domain/limits.ts'
import { MiB } from '../domain/sizes.ts'
import { openConfiguredDatabase } from './database-file.ts'
import { lockFolder } from './folder-lock.ts'
import { makeFirstAdministrator } from './identity/first-administrator.ts'
import { checkExposure } from './identity/rules.ts'
import { configuredKeyring } from './keyring.ts'
import { createLogger } from './logger.ts'
import { checkPorts } from './ports.ts'
import { findProgram } from './programs.ts'
import { waitUntilReady } from './ready.ts'
import { shutdownSignal } from './shutdown.ts'
import { type RunningService, supervise } from './supervisor.ts'
import { prepareTemporal, temporalService } from './temporal-server.ts'
import type { Waiting } from './wait-for.ts'

const MAIN = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url))

/**
 * Every thread would get its own malloc arena, and each keeps what it freed: two are enough. By default a buffer of a chunk's size is a
 * mapping of its own, cleared by the kernel each time, which took a tenth of a backup's processor time. Keeping 64 MiB saved more, but a
 * restore from S3 then had a peak of 301 MB.
 */
const MALLOC = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: String(32 * MiB),
  MALLOC_TRIM_THRESHOLD_: String(32 * MiB),
}

/**
 * Everything in one place: Temporal with its Web UI, the API and the workers over one data folder. Returns after Ctrl-C, when the
 * workers have handed over what they were doing; the next start carries on.
 */
export async function up(config: Config): Promise<void> {
  checkExposure(config)
  const logger = createLogger('up')
  const signal = shutdownSignal()
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 })
  const lock = lockFolder(config.dataFolder)
  await checkPorts(config)
  const logFolder = join(config.dataFolder, 'log')
  await mkdir(logFolder, { recursive: true, mode: 0o700 })
  await configuredKeyring(config)
  await loadWebhookKey(config.webhooks.keyFile)
  const news = await prepareDatabase(config, { logger, signal })
  const services: RunningService[] = []
  const start = (name: string, args: readonly string[], heapMiB: number) =>
    services.push(supervise(ourProcess(config, { name, args, heapMiB, logFolder }), logger))
  try {
    services.push(supervise(temporalService(config, await findProgram('temporal'), logFolder), logger))
    const [bundlePath] = await Promise.all([bundle(config), prepareTemporal(config, signal)])
    start('data', ['data-worker'], LIMITS.dataHeapMiB)
    start('control', ['control-worker', '--bundle', bundlePath], LIMITS.controlHeapMiB)
    start('api', ['api'], LIMITS.apiHeapMiB)
    await waitUntilReady(config, signal)
    announce(config, services, news)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    process.stdout.write('Stopping: operations that run are carried on by the next start.\n')
  } finally {
    // The API first, so that nothing new comes in; Temporal last, so that the workers can report.
    for (const service of services.toReversed()) await service.stop()
    lock.release()
  }
}

function ourProcess(
  config: Config,
  service: { name: string; args: readonly string[]; heapMiB: number; logFolder: string },
) {
  return {
    name: service.name,
    command: process.execPath,
    args: [
      `--max-old-space-size=${service.heapMiB}`,
      `--max-semi-space-size=${LIMITS.semiSpaceMiB}`,
      '--optimize-for-size',
      MAIN,
      ...service.args,
      '--data',
      config.dataFolder,
    ],
    // Reads, hashes and DNS share libuv's pool; four threads would be the bottleneck of a busy data worker.
    env: { UV_THREADPOOL_SIZE: '16', ...MALLOC },
    logFile: join(service.logFolder, `${service.name}.log`),
  }
}

async function bundle(config: Config): Promise<string> {
  const { stdout } = await execa(process.execPath, [MAIN, 'bundle', '--data', config.dataFolder])
  return stdout.trim()
}

/** With the administrator, if there was nobody. */
async function prepareDatabase(config: Config, waiting: Waiting): Promise<string[]> {
  const database = await openConfiguredDatabase(config, waiting)
  try {
    return await makeFirstAdministrator(config, database)
  } finally {
    await database.destroy()
  }
}

function announce(config: Config, services: readonly RunningService[], news: readonly string[]): void {
  const { api, temporal } = config
  const processes = services.map((service) => `${service.name} ${service.pid() ?? '-'}`).join(', ')
  process.stdout.write(
    [
      `volflow is up. API: http://${api.host}:${api.port}  Web UI: http://${temporal.host}:${temporal.uiPort}`,
      `Data and logs: ${config.dataFolder}. Processes: ${processes}. Stop with Ctrl-C.`,
      ...news,
      '',
    ].join('\n'),
  )
}
