/**
 * Writers, deleters, collectors and a reaper over one repository in memory: the real engine, with every call to the target scheduled
 * by a seeded random choice, and with crashes, resumed uploads and attempts that wake up after they were overtaken.
 */
import type { Extent } from '../../block-io/device.ts'
import { abortBackup } from '../../backup-format/abort.ts'
import { collect } from '../../backup-format/collect.ts'
import { commitBackup } from '../../backup-format/commit.ts'
import { deleteBackup } from '../../backup-format/delete.ts'
import { type BackupRecord, listBackups } from '../../backup-format/record.ts'
import { createOrOpenRepository, type Repository } from '../../backup-format/repository.ts'
import { uploadFrom } from '../../backup-format/upload.ts'
import { DriverError } from '../../domain/errors.ts'
import { bufferReader, DOMAIN, keysOf, keyring, uploadRequest } from './fixtures.ts'
import { MemoryTarget } from './memory-target.ts'
import { contentOf, reachableKeys } from './reachable.ts'

const SHAPE = { chunkBytes: 256, pageEntries: 3 }
const WRITERS = 3
const BACKUPS_PER_WRITER = 3
const STEPS_MAX = 100_000

export interface SimulationResult {
  readonly commits: number
  readonly deletes: number
  readonly collections: number
  readonly crashes: number
}

class Crash extends Error {}

/** Throws when an invariant does not hold. */
export async function simulate(seed: number): Promise<SimulationResult> {
  return new Simulation(seed).run()
}

class Simulation {
  readonly #random: () => number
  readonly #objects = new Map<string, Buffer>()
  readonly #waiting: (() => void)[] = []
  /** Backups whose writer is dead for good, and what each committed one must contain. */
  readonly #abandoned = new Set<string>()
  readonly #contents = new Map<string, Buffer>()
  readonly #result = { commits: 0, deletes: 0, collections: 0, crashes: 0 }
  #writersLeft = WRITERS
  #nextBackup = 0

  constructor(seed: number) {
    this.#random = randomFrom(seed)
  }

  async run(): Promise<SimulationResult> {
    const observer = await createOrOpenRepository(new MemoryTarget(this.#objects), keyring(), SHAPE)
    const actors = [
      ...Array.from({ length: WRITERS }, () => this.#writer(observer)),
      ...Array.from({ length: 2 }, () => this.#deleter(observer)),
      ...Array.from({ length: 2 }, () => this.#collector(observer)),
    ]
    let running = true
    const all = Promise.all(actors).finally(() => (running = false))
    all.catch(() => {})
    for (let step = 0; running; step += 1) {
      if (step > STEPS_MAX) throw new Error('Expected the simulation to end')
      await new Promise(setImmediate)
      const index = Math.floor(this.#random() * this.#waiting.length)
      this.#waiting.splice(index, 1)[0]?.()
      if (step % 256 === 0) await this.#checkReferences(observer)
    }
    await all
    await this.#checkQuiet(observer)
    return this.#result
  }

  async #writer(observer: Repository): Promise<void> {
    for (let count = 0; count < BACKUPS_PER_WRITER; count += 1) {
      this.#nextBackup += 1
      const backupId = `b-${this.#nextBackup}`
      const bytes = this.#volume()
      const committed = (await listBackups(observer, DOMAIN)).filter(({ state }) => state === 'committed')
      const parent = this.#pick(committed)
      const attempt = (writerToken: number) =>
        this.#attempt({ backupId, bytes, writerToken }, parent?.backupId)
      const zombies: Promise<boolean>[] = []
      let done = false
      for (let token = 1; token <= 4 && !done; token += 1) {
        const running = attempt(token)
        if (this.#chance(0.25)) {
          // It is thought to be dead, a successor starts, and it goes on.
          zombies.push(running)
          await this.#pause(30)
        } else done = await running
      }
      // Some are given up while an attempt is still alive.
      if (this.#chance(0.5)) this.#abandoned.add(backupId)
      await Promise.all(zombies)
      this.#abandoned.add(backupId)
    }
    this.#writersLeft -= 1
  }

  /** True when nothing is left to do for this backup. */
  async #attempt(
    backup: { backupId: string; bytes: Buffer; writerToken: number },
    parentBackupId: string | undefined,
  ): Promise<boolean> {
    const repository = await this.#open(0.3, 60)
    if (repository === undefined) return false
    const { backupId, bytes, writerToken } = backup
    const request = uploadRequest(
      { path: 'unused', bytes },
      {
        backupId,
        writerToken,
        journalChunks: 5,
        changedRanges: this.#changes(bytes, parentBackupId),
        ...(parentBackupId !== undefined && { parentBackupId }),
      },
    )
    return this.#survive(async () => {
      await uploadFrom(
        repository,
        request,
        bufferReader(bytes, () => this.#step()),
      )
      this.#contents.set(backupId, bytes)
      await commitBackup(repository, request)
      this.#result.commits += 1
    })
  }

  async #deleter(observer: Repository): Promise<void> {
    while (this.#writersLeft > 0) {
      await this.#pause(60)
      const victim = this.#victim(await listBackups(observer, DOMAIN))
      const repository = await this.#open(0.2, 4)
      if (victim === undefined || repository === undefined) continue
      await this.#survive(() => deleteBackup(repository, { domain: DOMAIN, backupId: victim.backupId }))
      this.#result.deletes += 1
    }
  }

  /** Preferably the parent of a backup that is being made. */
  #victim(records: readonly BackupRecord[]): BackupRecord | undefined {
    const parents = new Set(
      records.filter(({ state }) => state === 'open').map((record) => record.parentBackupId),
    )
    const finished = records.filter(({ state }) => state !== 'open')
    return this.#pick(finished.filter(({ backupId }) => parents.has(backupId))) ?? this.#pick(finished)
  }

  async #collector(observer: Repository): Promise<void> {
    while (this.#writersLeft > 0) {
      await this.#pause(20)
      const repository = await this.#open(0.4, 80)
      if (repository === undefined) continue
      const abortable = ({ backupId }: { backupId: string }) => this.#abandoned.has(backupId)
      await this.#survive(async () => {
        const { outcome } = await collect(repository, { abortable })
        if (outcome === 'done') this.#result.collections += 1
      })
      await this.#checkReferences(observer)
    }
  }

  /** A process of its own: with some probability it dies at one of its first calls. Undefined: at once. */
  async #open(crashProbability: number, stepsMax: number): Promise<Repository | undefined> {
    let left = this.#chance(crashProbability) ? Math.floor(this.#random() * stepsMax) : Infinity
    const target = new MemoryTarget(this.#objects, async () => {
      await this.#step()
      if ((left -= 1) < 0) throw new Crash()
    })
    try {
      return await createOrOpenRepository(target, keyring())
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      this.#result.crashes += 1
      return undefined
    }
  }

  /** Crashes and being overtaken are part of the game; a repository that looks damaged is not. */
  async #survive(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      if (error instanceof Crash) {
        this.#result.crashes += 1
        return false
      }
      if (error instanceof DriverError && (error.kind === 'busy' || error.kind === 'invalid')) return false
      if (error instanceof DriverError && error.kind === 'notFound') return false
      throw error
    }
  }

  #changes(bytes: Buffer, parentBackupId: string | undefined): Extent[] | 'unknown' {
    const old = parentBackupId === undefined ? undefined : this.#contents.get(parentBackupId)
    if (old === undefined || this.#chance(0.5)) return 'unknown'
    const { chunkBytes } = SHAPE
    return Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, chunk) => chunk * chunkBytes)
      .filter((at) => !old.subarray(at, at + chunkBytes).equals(bytes.subarray(at, at + chunkBytes)))
      .map((offset) => ({ offset, length: 1, kind: 'data' }))
  }

  /** Few different chunks, so that backups share most of them. */
  #volume(): Buffer {
    const chunks = 4 + Math.floor(this.#random() * 6)
    return Buffer.concat(
      Array.from({ length: chunks }, () => Buffer.alloc(SHAPE.chunkBytes, Math.floor(this.#random() * 12))),
    )
  }

  async #checkReferences(observer: Repository): Promise<void> {
    for (const key of await reachableKeys(observer)) {
      if (!this.#objects.has(key)) throw new Error(`Expected ${key} to be kept, a committed backup needs it`)
    }
  }

  async #checkQuiet(observer: Repository): Promise<void> {
    for (const { backupId, state } of await listBackups(observer, DOMAIN)) {
      if (state === 'open') await abortBackup(observer, { domain: DOMAIN, backupId })
    }
    await collect(observer)
    await collect(observer)
    for (const record of await listBackups(observer, DOMAIN)) {
      if (record.state !== 'committed')
        throw new Error(`Expected only committed records, got ${record.state}`)
      const content = await contentOf(observer, record)
      if (this.#contents.get(record.backupId)?.equals(content) !== true)
        throw new Error('Expected the same bytes')
    }
    const target = observer.target as MemoryTarget
    const kept = [...keysOf(target, '/c/'), ...keysOf(target, '/s/')]
    const needed = await reachableKeys(observer)
    const leaked = kept.filter((key) => !needed.has(key))
    if (leaked.length > 0) throw new Error(`Expected nothing unreachable, got ${leaked.join(' ')}`)
    const rest = [...keysOf(target, '/j/'), ...keysOf(target, 'gc/')]
    if (rest.length > 0) throw new Error(`Expected no journals and lists, got ${rest.join(' ')}`)
  }

  #step(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #pause(stepsMax: number): Promise<void> {
    for (let left = Math.floor(this.#random() * stepsMax); left >= 0; left -= 1) await this.#step()
  }

  #pick<T>(values: readonly T[]): T | undefined {
    return values[Math.floor(this.#random() * values.length)]
  }

  #chance(probability: number): boolean {
    return this.#random() < probability
  }
}

/** mulberry32: small, seeded, good enough to shuffle. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
