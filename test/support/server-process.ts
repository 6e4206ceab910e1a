import { setTimeout as sleep } from 'node:timers/promises'
import { startProcess } from '../../block-io/process.ts'
import { locate } from '../../scripts/setup/locate.ts'

const START_TIMEOUT_MS = 20_000
const START_ATTEMPTS_MAX = 3
const POLL_INTERVAL_MS = 50

export interface ServerProcess {
  readonly pid: number
  /** Asks it to end, kills it if that does not help, and resolves when it is gone. Twice is harmless. */
  stop(): Promise<void>
  /** What a power cut does. Resolves when it is gone. */
  kill9(): Promise<void>
}

export interface ServerStart {
  /** Looked up in PATH and in the set-up's cache. */
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Resolves to true once the server can be used. */
  readonly isReady: () => Promise<boolean>
}

/**
 * Starts a server and waits until it is ready. `describe` is asked again for each attempt, so that a port which was taken in
 * between is replaced by another. The server dies with this process, however that ends.
 */
export async function startServer(describe: () => Promise<ServerStart>): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt++) {
    const start = await describe()
    try {
      return await startOnce(start)
    } catch (error) {
      if (attempt === START_ATTEMPTS_MAX) throw error
    }
  }
}

async function startOnce({ program, args, env, isReady }: ServerStart): Promise<ServerProcess> {
  const path = locate(program)
  if (path === undefined) throw new Error(`Expected ${program} to be installed. Run: npm run setup`)
  const child = startProcess(path, args, { ...(env === undefined ? {} : { env }), onStdoutLine: () => {} })
  const ended = child.exited.then(
    (exit) => exit.failure ?? new Error(`Expected ${program} to keep running, it ended`),
  )
  const startedAtMs = Date.now()
  while (!(await isReady())) {
    const early = await Promise.race([ended, sleep(POLL_INTERVAL_MS)])
    if (early !== undefined) throw early
    if (Date.now() - startedAtMs > START_TIMEOUT_MS) {
      await child.stop()
      throw new Error(`Expected ${program} to be ready within ${START_TIMEOUT_MS} ms, it was not`)
    }
  }
  const kill9 = async () => {
    child.kill('SIGKILL')
    await child.exited
  }
  return { pid: child.pid ?? 0, stop: () => child.stop(), kill9 }
}
