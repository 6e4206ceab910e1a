import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'
import type { Database } from '../../database/open.ts'
import { acquireAttempt, renewAttempt } from '../../database/operations/attempts.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { endOperation } from '../../database/operations/end.ts'
import type { OperationEnd } from '../../domain/operations.ts'

export const CLI = join(import.meta.dirname, '../../cli/main.ts')

/** The real command line as its own process. */
export async function runCli(url: string, args: readonly string[], env: Record<string, string> = {}) {
  const { stdout, stderr, exitCode } = await execa(process.execPath, [CLI, ...args], {
    reject: false,
    stdin: 'ignore',
    timeout: 20_000,
    env: { VOLFLOW_URL: url, FORCE_COLOR: undefined, NODE_NO_WARNINGS: '1', ...env },
  })
  return { stdout, stderr, exitCode }
}

/** Plays a worker: moves bytes that do not exist, phase by phase, and ends the operation. */
export async function playWorker(
  database: Database,
  operationId: string,
  { stepMs, end }: { stepMs: number; end: OperationEnd },
): Promise<void> {
  await beginOperation(database, operationId)
  const attempt = await acquireAttempt(database, { operationId, activity: 'copy' }, Date.now())
  if ('waitMs' in attempt) throw new Error('Expected the lease to be free')
  for (const [phase, part] of [
    ['preparing', 0],
    ['copying', 1],
    ['copying', 2],
    ['copying', 3],
    ['verifying', 4],
  ] as const) {
    const doneBytes = part * 256 * 1024 * 1024
    const totalBytes = phase === 'preparing' ? 0 : 1024 * 1024 * 1024
    await renewAttempt(database, attempt, Date.now(), { phase, doneBytes, totalBytes, movedBytes: doneBytes })
    await delay(stepMs)
  }
  await endOperation(database, operationId, end)
}
