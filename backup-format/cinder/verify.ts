/** Looks whether a backup in Cinder's format could be restored, by us and by Cinder: its whole chain. */
import pMap from 'p-map'
import type { ByteRange } from '../../block-io/device.ts'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { BackupLocation } from '../../domain/cinder-names.ts'
import type { ChunkFinding } from '../chunk-verify.ts'
import type { Executor } from '../executor.ts'
import { createLine } from '../line.ts'
import { isSampled } from '../sample.ts'
import type { VerifyFindings, VerifyRequest } from '../verify-request.ts'
import type { ChunkRead } from './chunk-read.ts'
import { readObjectNames } from './object-names.ts'
import { openCinderBackup, type OpenCinderBackup } from './open-backup.ts'
import { startReading } from './start-reading.ts'
import type { CinderStore, ThreadStore } from './store.ts'
import type { MapPart } from './volume-map.ts'

type Request = VerifyRequest & {
  readonly location: BackupLocation
  readonly threads?: ThreadStore & { readonly count: number }
}

/**
 * Of each object of the chain: is it there; does it decompress, to the length and md5 that the metadata say; and where it shows, has
 * each block the SHA-256 that the backup says. Also objects that newer ones cover, since Cinder reads them all. A chain that cannot be
 * resolved, or a broken file of hashes: DriverError `notFound` or `corrupt` that names what is missing.
 */
export async function verifyCinderBackup(store: CinderStore, request: Request): Promise<VerifyFindings> {
  const backup = await openCinderBackup(store, request.location, request.signal)
  const present = await readObjectNames(store, backup.chain)
  const { volume, threads, signal } = request
  const executor = await startReading(store, {
    into: volume === undefined ? { kind: 'nowhere' } : { kind: 'compare', device: volume },
    setup: { sha256: backup.sha256, strict: false },
    ...{ signal, threads },
  })
  const inWork = createLine(executor.capacity)
  try {
    const verification = new Verification(request, present.missing, executor)
    const tasks = verification.plan(tasksOf(backup))
    const look = (task: Task) => inWork.pass(() => verification.look(task))
    await pMap(tasks, look, { concurrency: executor.capacity, signal })
    return { ...verification.findings(), unknownObjects: present.unknown.length }
  } finally {
    await executor.close()
    await inWork.empty()
  }
}

/** Those that show anything in the order of their bytes, then those that show nothing. */
function tasksOf({ chain, parts }: OpenCinderBackup): MapPart[] {
  const shown = new Set(parts.map(({ object }) => object.name))
  const hidden = chain.flatMap(({ location, metadata }) =>
    metadata.objects
      .filter(({ name }) => !shown.has(name))
      .map((object) => ({ object: { ...object, location }, ranges: [] })),
  )
  return [...parts, ...hidden]
}

interface Task {
  readonly part: MapPart
  /** Bytes of all tasks up to this one, with it. */
  readonly endBytes: number
}

class Verification {
  readonly #request: Request
  readonly #missing: ReadonlySet<string>
  readonly #executor: Executor<MapPart, ChunkRead>
  readonly #damage: { what: ChunkFinding; object: string; range: ByteRange }[] = []
  readonly #inWork = new Set<Task>()
  #damagedObjects = 0
  #checkedObjects = 0
  #totalBytes = 0
  #begunBytes = 0
  #doneBytes = 0
  #movedBytes = 0
  #checkpointBytes: number

  constructor(request: Request, missing: ReadonlySet<string>, executor: Executor<MapPart, ChunkRead>) {
    this.#request = request
    this.#missing = missing
    this.#executor = executor
    this.#checkpointBytes = request.resumeFromBytes
  }

  /** The sample, without what an earlier attempt has found good. */
  plan(parts: readonly MapPart[]): Task[] {
    const { seed, samplePercent, resumeFromBytes } = this.#request
    const tasks: Task[] = []
    for (const part of parts) {
      if (!isSampled(seed, part.object.name, samplePercent)) continue
      this.#totalBytes += part.object.length
      if (this.#totalBytes > resumeFromBytes) tasks.push({ part, endBytes: this.#totalBytes })
      else this.#checkedObjects += 1
    }
    this.#doneBytes = Math.min(resumeFromBytes, this.#totalBytes)
    return tasks
  }

  async look(task: Task): Promise<void> {
    const { object } = task.part
    this.#begunBytes = task.endBytes
    this.#inWork.add(task)
    const { what, ranges } = await this.#finding(task.part)
    this.#inWork.delete(task)
    this.#checkedObjects += 1
    if (what !== 'good') {
      this.#damagedObjects += 1
      this.#damage.push(...ranges.map((range) => ({ what, object: object.name, range })))
    }
    this.#doneBytes += object.length
    const { onProgress } = this.#request
    onProgress({ doneBytes: this.#doneBytes, totalBytes: this.#totalBytes, movedBytes: this.#movedBytes })
    await this.#checkpoint()
  }

  findings(): VerifyFindings {
    const damage = describe(this.#damage)
    return {
      checkedChunks: this.#checkedObjects,
      damagedChunks: this.#damagedObjects,
      damagedPages: 0,
      healedChunks: 0,
      healedPages: 0,
      ...(damage === undefined ? {} : { damage }),
    }
  }

  async #finding(part: MapPart): Promise<{ what: ChunkFinding; ranges: readonly ByteRange[] }> {
    const { name, offset, length, location } = part.object
    const whole = [{ offset, length }]
    if (this.#missing.has(`${location.folder}${name}`)) return { what: 'missing', ranges: whole }
    if (this.#request.level === 'presence') return { what: 'good', ranges: [] }
    await this.#request.pace(length)
    try {
      const { different } = await this.#executor.run(part)
      this.#movedBytes += length
      const what = this.#request.volume === undefined ? 'damaged' : 'different'
      return { what: different.length === 0 ? 'good' : what, ranges: different }
    } catch (error) {
      if (error instanceof DriverError && error.kind === 'corrupt') return { what: 'damaged', ranges: whole }
      throw error
    }
  }

  /** Cinder's format has no place for markers: what was found damaged is looked at again by each attempt. */
  async #checkpoint(): Promise<void> {
    const { onCheckpoint } = this.#request
    const before = [...this.#inWork].map(({ part, endBytes }) => endBytes - part.object.length)
    const goodBytes = Math.min(this.#begunBytes, ...before)
    if (this.#damagedObjects > 0 || goodBytes - this.#checkpointBytes < LIMITS.segmentBytes) return
    this.#checkpointBytes = goodBytes
    await onCheckpoint(goodBytes)
  }
}

/** Neighbours are told as one. */
function describe(
  damage: readonly { what: ChunkFinding; object: string; range: ByteRange }[],
): string | undefined {
  const sorted = damage.toSorted((a, b) => a.range.offset - b.range.offset)
  const told: { what: ChunkFinding; object: string; from: number; to: number }[] = []
  for (const { what, object, range } of sorted) {
    const last = told.at(-1)
    if (last?.object === object && last.to === range.offset) last.to += range.length
    else told.push({ what, object, from: range.offset, to: range.offset + range.length })
  }
  const [first, ...others] = told.slice(0, LIMITS.cinderDamageTold)
  if (first === undefined) return undefined
  const more =
    told.length > LIMITS.cinderDamageTold ? `; and ${told.length - LIMITS.cinderDamageTold} more` : ''
  const say = ({ what, object, from, to }: typeof first) => `${what}: ${object}, bytes ${from} to ${to}`
  return [first, ...others].map(say).join('; ') + more
}
