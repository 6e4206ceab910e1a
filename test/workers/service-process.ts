import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { type ProcessExit, runProcess, startProcess } from '../../block-io/process.ts'

const MAIN = fileURLToPath(new URL('../../workers/main.ts', import.meta.url))

type Environment = Readonly<Record<string, string>>

export interface ServiceProcess {
  readonly exited: Promise<ProcessExit>
  /** What it logged, so far. */
  log(): string
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
}

/** `volflow COMMAND` as a service manager runs it: configured by its environment alone. It ends with the test. */
export function startService(command: string, env: Environment): ServiceProcess {
  let log = ''
  const child = startProcess(process.execPath, [MAIN, command], {
    env,
    onStdoutLine: () => {},
    onStderrChunk: (text) => {
      log += text
    },
  })
  onTestFinished(() => child.stop())
  return { exited: child.exited, kill: (signal) => child.kill(signal), log: () => log }
}

/** To its end. Throws when it fails. */
export function runCommand(command: string, env: Environment): Promise<{ stdout: string }> {
  return runProcess(process.execPath, [MAIN, command], { env, timeoutMs: 60_000 })
}
