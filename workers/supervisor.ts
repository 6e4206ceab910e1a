import { createWriteStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { dieWithUs } from '../block-io/process.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Logger } from './logger.ts'

export interface Service {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly logFile: string
}

export interface RunningService {
  readonly name: string
  /** Of the process that runs now; changes when it was started again. */
  pid(): number | undefined
  /** SIGTERM, then SIGKILL; it is not started again. */
  stop(): Promise<void>
}

/**
 * Runs a program for as long as we run: started again when it ends, after a pause that grows while it keeps failing. Its own
 * process group, so that Ctrl-C reaches it through us and in order; it dies with us, however we die.
 */
export function supervise(service: Service, logger: Logger): RunningService {
  const stopping = new AbortController()
  let child: ReturnType<typeof start> | undefined
  const running = (async () => {
    let failures = 0
    while (!stopping.signal.aborted) {
      const startedAtMs = Date.now()
      child = start(service)
      const { exitCode, signal } = await child
      if (stopping.signal.aborted) return
      failures = Date.now() - startedAtMs > LIMITS.serviceHealthyMs ? 0 : failures + 1
      const delayMs = Math.min(LIMITS.serviceRestartMs * 2 ** failures, LIMITS.serviceRestartMaxMs)
      logger.error(
        { service: service.name, exitCode, signal, logFile: service.logFile, delayMs },
        'ended; starting it again',
      )
      await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    name: service.name,
    pid: () => child?.pid,
    stop: async () => {
      stopping.abort()
      child?.kill('SIGTERM')
      await running
    },
  }
}

function start(service: Service) {
  const [file, ...args] = [...dieWithUs(), service.command, ...service.args]
  const log = createWriteStream(service.logFile, { flags: 'a', mode: 0o600 })
  const child = execa(file ?? service.command, args, {
    detached: true,
    reject: false,
    buffer: false,
    env: { ...service.env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    killSignal: 'SIGTERM',
    forceKillAfterDelay: LIMITS.serviceStopMs,
  })
  child.stdout.pipe(log, { end: false })
  child.stderr.pipe(log, { end: false })
  void child.finally(() => log.end())
  return child
}
