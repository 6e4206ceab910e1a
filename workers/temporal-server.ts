import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from '@temporalio/client'
import { msToTs } from '@temporalio/common/lib/time.js'
import type { Config } from '../config/config.ts'
import { LIMITS } from '../domain/limits.ts'
import { SEARCH_ATTRIBUTES } from '../domain/search-attributes.ts'
import type { Service } from './supervisor.ts'
import { temporalAddress } from './temporal-connection.ts'

const DYNAMIC_CONFIG = [
  // One project's thousand operations must not make another's ten wait behind them.
  'matching.enableFairness=true',
  // By default a shard looks for new tasks 20 times a second: from the seventh operation in a second on, each step waits 50 ms.
  'history.transferProcessorMaxPollRPS=1000',
]

/** The embedded server: one process, one SQLite file, with the Web UI. */
export function temporalService(config: Config, program: string, logFolder: string): Service {
  const { host, port, uiPort, namespace } = config.temporal
  return {
    name: 'temporal',
    command: program,
    args: [
      ...['server', 'start-dev', '--ip', host, '--port', String(port)],
      ...['--ui-ip', host, '--ui-port', String(uiPort), '--namespace', namespace],
      ...['--db-filename', join(config.dataFolder, 'temporal.db'), '--sqlite-pragma', 'journal_mode=WAL'],
      ...['--log-level', 'warn'],
      ...DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting]),
      ...SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
    ],
    logFile: join(logFolder, 'temporal.log'),
  }
}

/** Waits until the server answers, and has it keep the histories of ended operations. Throws when it does not come up. */
export async function prepareTemporal(config: Config, signal: AbortSignal): Promise<void> {
  const deadlineMs = Date.now() + LIMITS.temporalStartMs
  for (;;) {
    signal.throwIfAborted()
    try {
      return await keepHistories(config)
    } catch (error) {
      if (Date.now() > deadlineMs) {
        throw new Error(`The Temporal server does not answer at ${temporalAddress(config)}`, { cause: error })
      }
      await sleep(LIMITS.temporalPollMs, undefined, { signal })
    }
  }
}

async function keepHistories(config: Config): Promise<void> {
  const connection = await Connection.connect({ address: temporalAddress(config) })
  try {
    await connection.workflowService.updateNamespace({
      namespace: config.temporal.namespace,
      config: { workflowExecutionRetentionTtl: msToTs(LIMITS.historyRetentionMs) },
    })
  } finally {
    await connection.close()
  }
}
