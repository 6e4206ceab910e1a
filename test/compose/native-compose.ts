import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runProcess } from '../../block-io/process.ts'
import { type ComposeFile, startOrder } from './compose-file.ts'
import { ENTRY_POINTS } from './images.ts'
import type { NativeHost, NativeService } from './native-host.ts'

interface Running {
  readonly name: string
  readonly child: ChildProcess
  readonly ended: Promise<unknown>
}

/** `docker compose up --wait` and `docker compose stop`, as far as our file needs them. Dispose of it: nothing of it stays. */
export class NativeCompose implements AsyncDisposable {
  readonly host: NativeHost
  readonly #file: ComposeFile
  readonly #running: Running[] = []

  constructor(host: NativeHost, file: ComposeFile) {
    this.host = host
    this.#file = file
  }

  /** Each service when those that it depends on are healthy or have ended well. Answers the seconds that each took. */
  async up(): Promise<Record<string, number>> {
    const took: Record<string, number> = {}
    for (const name of startOrder(this.#file.services)) {
      const startMs = performance.now()
      await this.#start(name)
      took[name] = (performance.now() - startMs) / 1000
    }
    return took
  }

  /** As its `healthcheck` says. Throws with what the check printed. */
  async checkHealth(name: string): Promise<string> {
    const { healthArgv, env } = await this.host.prepare(name)
    return this.#check(healthArgv, env)
  }

  pidOf(name: string): number {
    return this.#running.find((one) => one.name === name)?.child.pid ?? 0
  }

  /** In reverse order, with the signal of the file. Answers the seconds that each took, and by what it ended. */
  async stop(): Promise<
    { name: string; seconds: number; graceSeconds: number; exit: number | string | null }[]
  > {
    const stopped = []
    for (const { name, child, ended } of this.#running.splice(0).toReversed()) {
      const { stop_signal: signal, stop_grace_period: graceSeconds = 0 } = this.#file.services[name] ?? {}
      const startMs = performance.now()
      child.kill(signal)
      const late = await Promise.race([ended.then(() => false), sleep(graceSeconds * 1000, true)])
      if (late) child.kill('SIGKILL')
      await ended
      const seconds = (performance.now() - startMs) / 1000
      stopped.push({ name, seconds, graceSeconds, exit: child.exitCode ?? child.signalCode })
    }
    return stopped
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child, ended } of this.#running.splice(0).toReversed()) {
      child.kill('SIGKILL')
      await ended
    }
  }

  async #start(name: string): Promise<void> {
    const service = await this.host.prepare(name)
    const entryPoint = ENTRY_POINTS[service.image.split(':')[0] ?? '']
    const argv = (await entryPoint?.(this.host, service)) ?? service.argv
    const running = await this.#spawn(name, argv, service)
    if (this.#file.services[name]?.healthcheck === undefined) {
      await running.ended
      this.#running.pop()
      if (running.child.exitCode !== 0) throw new Error(`${name} failed:\n${await this.log(name)}`)
    } else await this.#untilHealthy(running, service)
  }

  async #spawn(name: string, argv: readonly string[], { env }: NativeService): Promise<Running> {
    const log = await open(join(this.host.folderOf(name), 'log'), 'a')
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
      env,
      cwd: this.host.folderOf(name),
      stdio: ['ignore', log.fd, log.fd],
    })
    const running = { name, child, ended: once(child, 'exit') }
    this.#running.push(running)
    await log.close()
    return running
  }

  /** Throws when the service ends, or when Docker would call it unhealthy. */
  async #untilHealthy({ name, ended }: Running, { healthArgv, env }: NativeService): Promise<void> {
    const check = this.#file.services[name]?.healthcheck
    if (check === undefined) return
    const deadlineMs = Date.now() + (check.start_period + check.interval * check.retries) * 1000
    for (;;) {
      try {
        await this.#check(healthArgv, env, check.timeout * 1000)
        return
      } catch (error) {
        const exited = await Promise.race([ended.then(() => true), sleep(check.start_interval * 1000, false)])
        if (exited || Date.now() > deadlineMs)
          throw new Error(
            `${name} ${exited ? 'ended' : 'is not healthy'}: ${String(error)}\n${await this.log(name)}`,
          )
      }
    }
  }

  async #check(argv: readonly string[], env: NativeService['env'], timeoutMs = 10_000): Promise<string> {
    // `env` looks the program up in the service's own PATH.
    const { stdout } = await runProcess('env', argv, { env, timeoutMs })
    return stdout.trim()
  }

  async log(name: string): Promise<string> {
    return (await readFile(join(this.host.folderOf(name), 'log'), 'utf8')).slice(-3_000)
  }
}
