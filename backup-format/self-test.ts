/** Asks a target for everything that a repository relies on. Uses keys of its own, which are gone afterwards. */
import { randomBytes } from 'node:crypto'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { removeAll } from './remove-all.ts'
import type { BackupTarget } from './target.ts'

export interface SelfTestStep {
  readonly name: string
  /** What was measured, in words. Throws with what was expected and what came. */
  readonly run: () => Promise<string>
}

/**
 * The steps in their order; the last one clears up and is to be run in any case. `targets` are two connections to one place, as two
 * writers have.
 */
export function targetSelfTest(targets: readonly [BackupTarget, BackupTarget]): SelfTestStep[] {
  const prefix = `doctor/${randomBytes(8).toString('hex')}-`
  const [target] = targets
  return [
    { name: 'put and get', run: () => putAndGet(target, `${prefix}large`) },
    { name: 'put if absent', run: () => putIfAbsent(targets, prefix) },
    { name: 'compare and swap', run: () => compareAndSwap(targets, `${prefix}swap`) },
    { name: 'list after put', run: () => listAfterPut(targets, `${prefix}list-`) },
    { name: 'delete', run: () => clearUp(target, prefix) },
  ]
}

async function putAndGet(target: BackupTarget, key: string): Promise<string> {
  const bytes = randomBytes(LIMITS.chunkBytes)
  const startedMs = performance.now()
  await target.putIfAbsent(key, bytes)
  const putMs = performance.now() - startedMs
  const stored = await target.get(key)
  check(stored?.bytes.equals(bytes) === true, 'to get the bytes that were put', 'others')
  return `4 MiB put in ${putMs.toFixed(0)} ms, got in ${(performance.now() - startedMs - putMs).toFixed(0)} ms`
}

async function putIfAbsent(targets: readonly BackupTarget[], prefix: string): Promise<string> {
  const [target] = targets
  await target?.putIfAbsent(`${prefix}first`, Buffer.from('first'))
  const again = await target?.putIfAbsent(`${prefix}first`, Buffer.from('second'))
  const kept = (await target?.get(`${prefix}first`))?.bytes.toString()
  check(again === 'exists' && kept === 'first', 'an object to stay when another is put under its key', kept)
  const results = await race(targets, (one, bytes) => one.putIfAbsent(`${prefix}race`, bytes))
  expectOneWinner(results, (result) => result === 'created')
  return `1 of ${results.length} writers won`
}

async function compareAndSwap(targets: readonly BackupTarget[], key: string): Promise<string> {
  const [target] = targets
  await target?.putIfAbsent(key, Buffer.from('one'))
  const version = (await target?.get(key))?.version ?? ''
  const results = await race(targets, (one, bytes) => one.replace(key, bytes, version))
  expectOneWinner(results, (result) => result !== 'conflict')
  const late = await target?.replace(key, Buffer.from('late'), version)
  check(late === 'conflict', 'an old version to be refused', 'it was replaced')
  return `1 of ${results.length} writers won`
}

/** From another connection than the one that put. */
async function listAfterPut(targets: readonly BackupTarget[], prefix: string): Promise<string> {
  const keys = Array.from({ length: LIMITS.selfTestWriters }, (_, index) => `${prefix}${index}`)
  const startedMs = performance.now()
  for (const key of keys) await targets[0]?.putIfAbsent(key, Buffer.from(key))
  const listed: string[] = []
  for await (const { key } of targets.at(-1)?.list(prefix) ?? []) listed.push(key)
  check(listed.toSorted().join() === keys.toSorted().join(), `${keys.length} keys at once`, listed.length)
  return `${keys.length} put and listed in ${(performance.now() - startedMs).toFixed(0)} ms`
}

async function clearUp(target: BackupTarget, prefix: string): Promise<string> {
  await removeAll(target, prefix)
  for await (const { key } of target.list(prefix)) check(false, 'nothing after deletion', key)
  return 'nothing left'
}

function race<T>(
  targets: readonly BackupTarget[],
  act: (target: BackupTarget, bytes: Buffer) => Promise<T>,
): Promise<T[]> {
  const racers = Array.from({ length: LIMITS.selfTestWriters }, (_, racer) => targets[racer % targets.length])
  return Promise.all(
    racers.filter((one) => one !== undefined).map((one, racer) => act(one, Buffer.from(`racer ${racer}`))),
  )
}

function expectOneWinner<T>(results: readonly T[], hasWon: (result: T) => boolean): void {
  const winners = results.filter(hasWon).length
  check(winners === 1, `1 of ${results.length} writers to win`, `${winners} did`)
}

function check(holds: boolean, expected: string, got: unknown): void {
  if (!holds) throw new DriverError('unsupported', `Expected ${expected}, got: ${String(got)}`)
}
