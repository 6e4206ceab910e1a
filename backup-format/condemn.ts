/** Phase one of a collection: what no backup needs is condemned. */
import { randomBytes } from 'node:crypto'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { abortBackup } from './abort.ts'
import type { CollectAccounts } from './accounts.ts'
import type { CollectRequest } from './collect-request.ts'
import type { BackupRequest } from './commit.ts'
import { type CondemnedBlob, encodeCondemned } from './condemned.ts'
import { condemnedListKey } from './names.ts'
import type { Repository } from './repository.ts'
import { type CondemnedListRef, replaceState, type RepositoryState, type Versioned } from './state.ts'
import { type Survey, survey } from './survey.ts'

/**
 * Publishes the lists, and the new epoch with them: an epoch that began earlier would have writers who do not know the lists. More than
 * the budget allows: DriverError `invalid`, and the repository is as before.
 */
export async function condemn(
  repository: Repository,
  found: Versioned<RepositoryState>,
  request: CollectRequest & { readonly job: string },
  accounts: CollectAccounts,
): Promise<Versioned<RepositoryState>> {
  const run = randomBytes(8).toString('hex')
  const before = found.value
  const marking = await replaceState(
    repository,
    { ...before, phase: 'marking', run, lists: [] },
    found.version,
  )
  if (marking === undefined) throw overtaken()
  const epoch = before.epoch + 1
  const lists = new ListWriter(repository, epoch, run)
  const giveUp = async (backup: BackupRequest) => {
    const abandoned = (await request.abortable?.(backup)) === true
    return abandoned && (await abortBackup(repository, backup)) === 'aborted'
  }
  const surveyed = await survey(repository, request, giveUp, (domain, blobs) => lists.add(domain, blobs))
  await lists.flush()
  if (exceedsBudget(surveyed) && request.force !== true) {
    await lists.remove()
    await replaceState(repository, { ...before, phase: 'idle', run: null, lists: [] }, marking.version)
    throw overBudget(surveyed)
  }
  request.signal?.throwIfAborted()
  const job = { name: request.job, accounts, hasMore: lists.isFull }
  const published = await replaceState(
    repository,
    { version: 1, epoch, phase: 'condemned', run, lists: lists.refs, job },
    marking.version,
  )
  if (published === undefined) throw overtaken()
  return published
}

/** Much at once is a sign that records were lost, not that backups were deleted; little does no great harm. */
export function exceedsBudget({ found, unneeded }: Survey): boolean {
  return (
    unneeded.objects > LIMITS.collectObjectsFree && unneeded.objects > LIMITS.collectShareMax * found.objects
  )
}

function overBudget({ found, unneeded }: Survey): DriverError {
  const percent = (share: number) => `${Math.round(share * 100)} %`
  return new DriverError(
    'invalid',
    `Expected that at most ${percent(LIMITS.collectShareMax)} of the ${found.objects} objects in this target are needed by no backup, found ${unneeded.objects} (${percent(unneeded.objects / found.objects)}, ${unneeded.bytes} bytes). Nothing was deleted. If so much was deleted on purpose, collect again with force (--force).`,
  )
}

/** Writers keep all lists in memory: beyond a number of objects, the rest is left to the next round. */
class ListWriter {
  readonly refs: CondemnedListRef[] = []
  readonly #repository: Repository
  readonly #epoch: number
  readonly #run: string
  #waiting: CondemnedBlob[] = []
  #domain = ''
  #objects = 0
  #isFull = false
  #lists = 0

  constructor(repository: Repository, epoch: number, run: string) {
    this.#repository = repository
    this.#epoch = epoch
    this.#run = run
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** All of a domain comes before anything of the next. */
  async add(domain: string, blobs: readonly CondemnedBlob[]): Promise<void> {
    if (domain !== this.#domain) await this.flush()
    this.#domain = domain
    const room = LIMITS.condemnedObjectsMax - this.#objects
    if (blobs.length > room) this.#isFull = true
    const taken = blobs.slice(0, room)
    this.#objects += taken.length
    this.#waiting.push(...taken)
    while (this.#waiting.length >= LIMITS.condemnedListItems)
      await this.#write(this.#waiting.splice(0, LIMITS.condemnedListItems))
  }

  async flush(): Promise<void> {
    if (this.#waiting.length > 0) await this.#write(this.#waiting.splice(0))
  }

  async remove(): Promise<void> {
    for (const { key } of this.refs) await this.#repository.target.delete(key)
  }

  async #write(blobs: readonly CondemnedBlob[]): Promise<void> {
    const key = condemnedListKey(this.#epoch, this.#run, this.#lists)
    this.#lists += 1
    const domain = this.#domain
    const sealed = this.#repository.sealer.seal(key, encodeCondemned(blobs))
    if ((await this.#repository.target.putIfAbsent(key, sealed)) === 'exists') throw overtaken()
    this.refs.push({ key, domain })
  }
}

function overtaken(): DriverError {
  return new DriverError(
    'busy',
    'Expected to be the only collector of this repository, another one is at work',
  )
}
