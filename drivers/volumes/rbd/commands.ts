/** `rbd` and `ceph`, and what their exit statuses mean. */
import type { Duplex, Readable, Writable } from 'node:stream'
import { ProgramFailure } from '../../../block-io/process-failure.ts'
import { type RunOptions, runProcess, startFilter } from '../../../block-io/process.ts'
import { DriverError, type DriverErrorKind } from '../../../domain/errors.ts'
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import type { RbdPlace } from './place.ts'

/** Of `errno`, with which the programs end. */
export const STATUS = {
  forbidden: 1,
  notThere: 2,
  busy: 16,
  exists: 17,
  invalid: 22,
  full: 28,
  notEmpty: 39,
  overQuota: 122,
} as const

const KINDS: Readonly<Record<number, DriverErrorKind>> = {
  [STATUS.notThere]: 'notFound',
  [STATUS.busy]: 'busy',
  [STATUS.notEmpty]: 'busy',
  [STATUS.exists]: 'invalid',
  [STATUS.invalid]: 'invalid',
  [STATUS.full]: 'full',
  [STATUS.overQuota]: 'full',
}

/** "No such file" about these says nothing about an image: the place itself is away, or not set up. */
const PLACE_AWAY =
  /couldn't connect|opening (?:default )?pool|namespace '.*' does not exist|open config file|no keyring found/

const NO_OBJECT = /error (?:stat-ing|removing) .*\(2\) No such file or directory/

/** `rbd rm` of an image that it could not put into the trash ends as if there had been none. */
const NO_ROOM = /\((?:28|122)\) (?:No space left on device|Disk quota exceeded)/

export async function rbd(
  place: RbdPlace,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  return run(place, 'rbd', [...accessOf(place), ...args], options)
}

interface RunningRbd<S> {
  readonly stream: S
  /** Rejects where it failed; ask it before an error of `stream` is believed. */
  readonly ended: Promise<void>
  readonly kill: () => void
}

/** `rbd` with an input of any size. */
export function rbdInput(place: RbdPlace, args: readonly string[]): RunningRbd<Writable> {
  const { stream, ...running } = rbdFilter(place, args)
  return { stream: stream.resume(), ...running }
}

/** `rbd` with an output of any size. */
export function rbdOutput(
  place: RbdPlace,
  args: readonly string[],
  onStderrChunk?: (text: string) => void,
): RunningRbd<Readable> {
  const { stream, ...running } = rbdFilter(place, args, onStderrChunk)
  return { stream: stream.end(), ...running }
}

function rbdFilter(
  place: RbdPlace,
  args: readonly string[],
  onStderrChunk?: (text: string) => void,
): RunningRbd<Duplex> {
  const { stream, exited, kill } = startFilter('rbd', [...accessOf(place), ...args], {}, onStderrChunk)
  stream.on('error', () => undefined)
  const ended = exited.then(({ failure }) => {
    if (failure !== undefined) throw explain(place, failure)
  })
  ended.catch(() => undefined)
  return { stream, ended, kill }
}

function accessOf({ user, confFile }: RbdPlace): string[] {
  return ['--id', user, '--conf', confFile]
}

export async function rbdJson<T>(
  place: RbdPlace,
  args: readonly string[],
  options: RunOptions = {},
): Promise<T> {
  const text = await rbd(place, [...args, '--format', 'json'], options)
  return JSON.parse(text) as T
}

/** For objects that are no part of an image. Its exit status says nothing. */
export async function rados(place: RbdPlace, args: readonly string[]): Promise<string> {
  try {
    return await run(place, 'rados', [...accessOf(place), ...args], {})
  } catch (error) {
    if (error instanceof DriverError && NO_OBJECT.test(error.message))
      throw new DriverError('notFound', error.message, { cause: error.cause })
    throw error
  }
}

/** Python, and half a second: for what `rbd` cannot do. */
export async function ceph(place: RbdPlace, args: readonly string[]): Promise<string> {
  const connect = ['--connect-timeout', String(RBD_LIMITS.rbdConnectSeconds)]
  return run(
    place,
    'ceph',
    ['--name', `client.${place.user}`, '--conf', place.confFile, ...connect, ...args],
    {},
  )
}

const clusterIds = new Map<string, string>()

/** Asked once: it takes half a second, and never changes. */
export async function clusterIdOf(place: RbdPlace): Promise<string> {
  const known = clusterIds.get(place.confFile)
  if (known !== undefined) return known
  const id = (await ceph(place, ['fsid'])).trim()
  clusterIds.set(place.confFile, id)
  return id
}

async function run(
  place: RbdPlace,
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<string> {
  try {
    const { stdout } = await runProcess(program, args, {
      timeoutMs: RBD_LIMITS.rbdCallMs,
      stdoutMaxBytes: RBD_LIMITS.rbdOutputBytes,
      ...options,
      // Times are printed in the local zone, without its name.
      env: { TZ: 'UTC' },
    })
    return stdout
  } catch (error) {
    throw explain(place, error)
  }
}

function explain(place: RbdPlace, error: unknown): unknown {
  if (!(error instanceof DriverError && error.cause instanceof ProgramFailure)) return error
  const { exitCode, stderr } = error.cause
  const cause = { cause: error.cause }
  if (PLACE_AWAY.test(stderr))
    return new DriverError(
      'transient',
      `Expected pool ${place.pool} to be reachable. ${error.message}`,
      cause,
    )
  if (exitCode === STATUS.notThere && NO_ROOM.test(stderr))
    return new DriverError('transient', `Expected pool ${place.pool} to have room. ${error.message}`, cause)
  return new DriverError(KINDS[exitCode] ?? 'transient', error.message, cause)
}

export function hasStatus(error: unknown, ...statuses: readonly number[]): boolean {
  return (
    error instanceof DriverError &&
    error.cause instanceof ProgramFailure &&
    statuses.includes(error.cause.exitCode)
  )
}

/** The result, or undefined when there is no such image, snapshot or key. */
export async function ifThere<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result
  } catch (error) {
    if (error instanceof DriverError && error.kind === 'notFound') return undefined
    throw error
  }
}

/** False: the name is taken. */
export async function unlessThere(making: Promise<unknown>): Promise<boolean> {
  try {
    await making
    return true
  } catch (error) {
    if (hasStatus(error, STATUS.exists)) return false
    throw error
  }
}
