/** The repository's one mutable object: its epoch, and what the collector is doing. Every change is a compare-and-swap. */
import { DriverError } from '../domain/errors.ts'
import type { CollectAccounts } from './accounts.ts'
import type { Sealer } from './envelope.ts'
import { STATE_KEY } from './names.ts'
import type { BackupTarget } from './target.ts'

export interface CondemnedListRef {
  readonly key: string
  readonly domain: string
}

export interface RepositoryState {
  readonly version: 1
  /** Part of the key of every object uploaded meanwhile. Starts with 1 and only grows. */
  readonly epoch: number
  readonly phase: 'idle' | 'marking' | 'condemned'
  /** Which run of the collector marks: a run that was overtaken cannot publish. */
  readonly run: string | null
  /** In phase `condemned`: what will be deleted unless a record commits it meanwhile. */
  readonly lists: readonly CondemnedListRef[]
  /** The newest collection, so that one that is repeated after a crash can tell what it has done. Absent before the first. */
  readonly job?: CollectJob
}

export interface CollectJob {
  readonly name: string
  /** Of its finished rounds. */
  readonly accounts: CollectAccounts
  /** The round under way, or the last one, could not condemn everything. */
  readonly hasMore: boolean
}

export interface Versioned<T> {
  readonly value: T
  readonly version: string
}

interface Sealed {
  readonly target: BackupTarget
  readonly sealer: Sealer
  readonly epochs: Epochs
}

/** The newest epoch that was met in a record. Records have theirs from the state, so an older state is one that somebody put back. */
export interface Epochs {
  newest: number
}

/** Missing, damaged, or older than a record that was read: DriverError `corrupt`. */
export async function readState({ target, sealer, epochs }: Sealed): Promise<Versioned<RepositoryState>> {
  const stored = await target.get(STATE_KEY)
  if (stored === undefined) {
    throw new DriverError('corrupt', 'Expected the repository to have its state object, it is missing')
  }
  const plain = sealer.open('state', STATE_KEY, stored.bytes)
  const value: RepositoryState = JSON.parse(plain.toString('utf8'))
  if (value.epoch >= epochs.newest) return { value, version: stored.version }
  throw new DriverError(
    'corrupt',
    `Expected the state object of epoch ${epochs.newest} or later, it is an old one of epoch ${value.epoch}`,
  )
}

/** Undefined: somebody else changed it meanwhile. */
export async function replaceState(
  repository: Sealed,
  state: RepositoryState,
  version: string,
): Promise<Versioned<RepositoryState> | undefined> {
  const { target, sealer, epochs } = repository
  const replacedEpoch = state.phase === 'condemned' ? state.epoch - 1 : state.epoch
  if (replacedEpoch < epochs.newest) {
    // Either it has moved on, or it is an old one.
    await readState(repository)
    return undefined
  }
  const result = await target.replace(STATE_KEY, sealState(sealer, state), version)
  return result === 'conflict' ? undefined : { value: state, version: result.version }
}

export async function stateExists({ target }: Pick<Sealed, 'target'>): Promise<boolean> {
  return (await target.get(STATE_KEY)) !== undefined
}

export async function createState({ target, sealer }: Pick<Sealed, 'target' | 'sealer'>): Promise<void> {
  await target.putIfAbsent(
    STATE_KEY,
    sealState(sealer, { version: 1, epoch: 1, phase: 'idle', run: null, lists: [] }),
  )
}

function sealState(sealer: Sealer, state: RepositoryState): Buffer {
  return sealer.seal(STATE_KEY, Buffer.from(JSON.stringify(state)))
}
