/**
 * The only place that starts programs. Argument arrays, never a shell; a minimal environment; a bounded output; and children that
 * die with us: a worker killed with -9 must not leave a process behind that still writes to a volume.
 */
import type { Duplex } from 'node:stream'
import { execa } from 'execa'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { describeFailure } from './process-failure.ts'

/** The cause of the error about `stdoutMaxBytes`, for callers that can ask for less. */
export const TOO_MUCH_OUTPUT = Symbol('too much output')

/** Environment variable with the tag of the worker that started a program; set by workers/run-folder.ts. */
export const RUN_TAG = 'VOLFLOW_RUN'

export interface ProcessLimits {
  readonly cpuSeconds?: number
  readonly addressSpaceBytes?: number
  readonly fileSizeBytes?: number
  readonly openFiles?: number
  /** Of each thread: threads get as much address space for their stack. */
  readonly stackBytes?: number
}

export interface StartOptions {
  /** Kernel limits of the child and everything it starts. */
  readonly limits?: ProcessLimits
  /** Added to PATH and LANG=C; nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>
  /** Descriptors of ours that become 3, 4, … in the child. */
  readonly passFileDescriptors?: readonly number[]
  /** More output than this ends the program with `invalid`. */
  readonly stdoutMaxBytes?: number
  /** Called for each line, where `\r` ends a line too (progress meters). Lines are then not collected in `stdout`. */
  readonly onStdoutLine?: (line: string) => void
  readonly onStderrChunk?: (text: string) => void
}

export interface RunOptions extends StartOptions {
  /** Aborting kills the program; the call rejects with the signal's reason once the program is gone. */
  readonly signal?: AbortSignal
  /** Afterwards the program is killed and the call rejects with `transient`. */
  readonly timeoutMs?: number
}

export interface ProcessOutput {
  readonly stdout: string
  /** The end of it only. */
  readonly stderr: string
}

export interface ProcessExit extends ProcessOutput {
  /** Absent after exit status 0. */
  readonly failure?: DriverError
}

export interface RunningProcess {
  readonly pid: number | undefined
  /** Never rejects. */
  readonly exited: Promise<ProcessExit>
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
  /** SIGTERM, and SIGKILL if that did not help; resolves when the process is gone. */
  stop(): Promise<void>
}

/**
 * Runs a program to its end. Throws DriverError when it cannot be started (`invalid`, naming the Debian package) or fails
 * (`full`, `busy`, `notFound`, `invalid`, `transient`), with the last lines of stderr in the message.
 */
export async function runProcess(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<ProcessOutput> {
  options.signal?.throwIfAborted()
  const child = startProcess(command, args, options)
  let timedOut = false
  const kill = () => child.kill('SIGKILL')
  const onTimeout = () => {
    timedOut = true
    kill()
  }
  options.signal?.addEventListener('abort', kill, { once: true })
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(onTimeout, options.timeoutMs)
  const { failure, ...output } = await child.exited
  clearTimeout(timer)
  options.signal?.removeEventListener('abort', kill)
  // A program that had finished before the kill arrived has done its work: that is success, not an abort.
  if (failure === undefined) return output
  options.signal?.throwIfAborted()
  if (timedOut)
    throw new DriverError(
      'transient',
      `Expected ${command} to finish within ${options.timeoutMs} ms, it did not`,
    )
  throw failure
}

/** Starts a program that runs until it is stopped. A program that cannot be started shows in `exited`. */
export function startProcess(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): RunningProcess {
  const [file, ...wrapped] = [...dieWithUs(), ...limited(options.limits), command, ...args]
  const stdoutMaxBytes = options.stdoutMaxBytes ?? LIMITS.processStdoutBytes
  const child = execa(file ?? command, wrapped, {
    reject: false,
    extendEnv: false,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LANG: 'C', ...runTag(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', ...(options.passFileDescriptors ?? []).map(asStdio)],
    buffer: { stdout: options.onStdoutLine === undefined, stderr: false },
    maxBuffer: { stdout: stdoutMaxBytes },
    stripFinalNewline: false,
    // A process group of its own, so that a kill reaches what the program itself started.
    detached: true,
  })
  const stderr = keepTail(child.stderr, options.onStderrChunk)
  if (options.onStdoutLine !== undefined) splitLines(child.stdout, options.onStdoutLine)
  let running = child.pid !== undefined
  const exited = child.then((result): ProcessExit => {
    running = false
    const output = { stdout: typeof result.stdout === 'string' ? result.stdout : '', stderr: stderr() }
    if (!result.failed) return output
    if (result.isMaxBuffer) {
      const message = `Expected ${command} to print at most ${stdoutMaxBytes} bytes, got more`
      return { ...output, failure: new DriverError('invalid', message, { cause: TOO_MUCH_OUTPUT }) }
    }
    return { ...output, failure: describeFailure(command, output.stderr, result) }
  })
  const kill = (signal: 'SIGTERM' | 'SIGKILL') => {
    if (running && child.pid !== undefined) signalGroup(child.pid, signal)
  }
  return {
    pid: child.pid,
    exited,
    kill,
    stop: async () => {
      kill('SIGTERM')
      const timer = setTimeout(() => kill('SIGKILL'), LIMITS.processStopMs)
      await exited
      clearTimeout(timer)
    },
  }
}

/**
 * Starts a program as a stage of a stream: what is written to `stream` is its input, what is read from it is its output, of any
 * size. Destroying the stream ends the program. A program that cannot be started or fails ends the output early: ask `exited`.
 */
export function startFilter(
  command: string,
  args: readonly string[],
  limits: ProcessLimits,
  onStderrChunk?: (text: string) => void,
): { readonly stream: Duplex; readonly exited: Promise<ProcessExit>; readonly kill: () => void } {
  const [file, ...wrapped] = [...dieWithUs(), ...limited(limits), command, ...args]
  const child = execa(file ?? command, wrapped, {
    reject: false,
    extendEnv: false,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LANG: 'C', ...runTag() },
    stdio: 'pipe',
    buffer: false,
    encoding: 'buffer',
    detached: true,
  })
  const stderr = keepTail(child.stderr, onStderrChunk)
  let running = child.pid !== undefined
  const exited = child.then((result): ProcessExit => {
    running = false
    const output = { stdout: '', stderr: stderr() }
    return result.failed ? { ...output, failure: describeFailure(command, output.stderr, result) } : output
  })
  const kill = () => {
    if (running && child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
  }
  return { stream: child.duplex(), exited, kill }
}

function signalGroup(leaderPid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-leaderPid, signal)
  } catch {
    // The whole group is gone already.
  }
}

function runTag(): Record<string, string> {
  const tag = process.env[RUN_TAG]
  return tag === undefined ? {} : { [RUN_TAG]: tag }
}

/**
 * The kernel kills the child when the thread that started it ends, however it ends. (Thread, not process: what a worker thread
 * starts ends with that worker thread.) Elsewhere than on Linux there is no such thing.
 */
export function dieWithUs(): string[] {
  return process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []
}

function limited(limits: ProcessLimits | undefined): string[] {
  if (limits === undefined || process.platform !== 'linux') return []
  const options: [string, number | undefined][] = [
    ['--cpu', limits.cpuSeconds],
    ['--as', limits.addressSpaceBytes],
    ['--fsize', limits.fileSizeBytes],
    ['--nofile', limits.openFiles],
    ['--stack', limits.stackBytes],
    ['--core', 0],
  ]
  return [
    'prlimit',
    ...options.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${Math.ceil(value)}`])),
    '--',
  ]
}

/** execa passes any descriptor on, but its types know the numbers 3 to 9 only. */
function asStdio(descriptor: number): 3 {
  return descriptor as 3
}

function keepTail(stream: NodeJS.ReadableStream | null, onChunk?: (text: string) => void): () => string {
  let tail = ''
  stream?.setEncoding('utf8')
  stream?.on('data', (text: string) => {
    tail = (tail + text).slice(-LIMITS.processStderrTailBytes)
    onChunk?.(text)
  })
  return () => tail
}

function splitLines(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  let pending = ''
  stream?.setEncoding('utf8')
  stream?.on('data', (text: string) => {
    const lines = (pending + text).split(/[\r\n]/)
    pending = (lines.pop() ?? '').slice(-LIMITS.processStderrTailBytes)
    lines.forEach(onLine)
  })
}
