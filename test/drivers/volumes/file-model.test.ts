import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MiB } from '../../../domain/sizes.ts'
import type { SnapshotRef, VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { firstDifference, readAll, writePattern } from './device-bytes.ts'

const RUNS = 8
const STEPS_MAX = 30
const WRITE_BYTES = 128 * 1024

/** `pick` chooses among what exists, whatever that is by then. */
const step = fc.record({
  kind: fc.constantFrom(
    'create',
    'write',
    'write',
    'write',
    'snapshot',
    'snapshot',
    'clone',
    'clone',
    'extend',
    'revert',
    'deleteVolume',
    'deleteSnapshot',
    'deleteSnapshot',
    'compact',
    'compact',
  ),
  pick: fc.nat(),
  at: fc.nat(7),
  byte: fc.integer({ min: 1, max: 255 }),
  larger: fc.boolean(),
} as const)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

test('random sequences keep every byte of every volume and snapshot, and leave nothing once all is deleted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: STEPS_MAX }), async (steps) => {
      const path = await tempDir()
      const model = new Model(await openVolumeDriver({ driver: 'file', path }))
      await model.create()
      for (const each of steps) await model.apply(each)
      await model.check()
      await model.deleteAll()
      expect((await readdir(path, { recursive: true })).toSorted()).toEqual([
        'merged',
        'scratch',
        'snapshots',
        'unmanaged',
        'volumes',
      ])
    }),
    { numRuns: RUNS },
  )
}, 120_000)

/** The driver, and beside it what it should hold. */
class Model {
  readonly #driver: VolumeDriver
  readonly #volumes = new Map<string, Buffer>()
  readonly #snapshots = new Map<SnapshotRef, Buffer>()

  constructor(driver: VolumeDriver) {
    this.#driver = driver
  }

  async create(): Promise<void> {
    const volumeId = randomUUID()
    await this.#driver.createVolume({ volumeId, sizeBytes: MiB })
    this.#volumes.set(volumeId, Buffer.alloc(MiB))
  }

  async apply({ kind, pick, at, byte, larger }: Step): Promise<void> {
    const volume = chosen(this.#volumes, pick)
    const snapshot = chosen(this.#snapshots, pick)
    if (kind === 'create') await this.create()
    else if (kind === 'write' && volume) await this.#write(volume, byte, at * WRITE_BYTES)
    else if (kind === 'snapshot' && volume) await this.#snapshot(volume)
    else if (kind === 'clone' && snapshot) await this.#clone(snapshot, larger)
    else if (kind === 'extend' && volume) await this.#extend(volume)
    else if (kind === 'revert' && snapshot) await this.#revert(snapshot)
    else if (kind === 'deleteVolume' && volume) await this.#deleteVolume(volume[0])
    else if (kind === 'compact' && volume) await this.#compact(volume[0])
    else if (kind === 'deleteSnapshot' && snapshot) await this.#deleteSnapshot(snapshot[0])
  }

  async check(): Promise<void> {
    for (const [volumeId, bytes] of this.#volumes) {
      const device = await this.#driver.openVolume({ volumeId, access: 'read' })
      expect(firstDifference(await readAll(device), bytes)).toBeUndefined()
    }
    for (const [ref, bytes] of this.#snapshots) {
      expect(firstDifference(await readAll(await this.#driver.openSnapshot(ref)), bytes)).toBeUndefined()
    }
    const { volumeIds, snapshots } = await this.#driver.list()
    expect(volumeIds.toSorted()).toEqual([...this.#volumes.keys()].toSorted())
    expect(snapshots).toHaveLength(this.#snapshots.size)
  }

  async deleteAll(): Promise<void> {
    for (const volumeId of this.#volumes.keys()) await this.#deleteVolume(volumeId)
    for (const ref of this.#snapshots.keys()) await this.#deleteSnapshot(ref)
  }

  async #write([volumeId, bytes]: [string, Buffer], byte: number, offset: number): Promise<void> {
    const device = await this.#driver.openVolume({ volumeId, access: 'write' })
    await writePattern(device, { byte, offset, length: WRITE_BYTES })
    bytes.fill(byte, offset, offset + WRITE_BYTES)
  }

  async #snapshot([volumeId, bytes]: [string, Buffer]): Promise<void> {
    const ref = { volumeId, snapshotId: randomUUID() }
    await this.#driver.createSnapshot(ref)
    this.#snapshots.set(ref, Buffer.from(bytes))
  }

  async #clone([ref, bytes]: [SnapshotRef, Buffer], larger: boolean): Promise<void> {
    const newVolumeId = randomUUID()
    const sizeBytes = bytes.length + (larger ? MiB : 0)
    await this.#driver.cloneSnapshot({ ...ref, newVolumeId, sizeBytes })
    this.#volumes.set(newVolumeId, Buffer.concat([bytes], sizeBytes))
  }

  async #extend([volumeId, bytes]: [string, Buffer]): Promise<void> {
    const sizeBytes = bytes.length + MiB
    await this.#driver.extendVolume({ volumeId, sizeBytes })
    this.#volumes.set(volumeId, Buffer.concat([bytes], sizeBytes))
  }

  async #revert([ref, bytes]: [SnapshotRef, Buffer]): Promise<void> {
    const sizeBytes = this.#volumes.get(ref.volumeId)?.length
    if (sizeBytes === undefined) return
    await this.#driver.revertVolume({ ...ref, sizeBytes })
    this.#volumes.set(ref.volumeId, Buffer.concat([bytes], sizeBytes))
  }

  /** Of one volume; all the others must still read the same. */
  async #compact(volumeId: string): Promise<void> {
    await this.#driver.compactVolume?.({ volumeId, signal: new AbortController().signal })
    await this.check()
  }

  async #deleteVolume(volumeId: string): Promise<void> {
    await this.#driver.deleteVolume({ volumeId })
    this.#volumes.delete(volumeId)
  }

  async #deleteSnapshot(ref: SnapshotRef): Promise<void> {
    await this.#driver.deleteSnapshot(ref)
    this.#snapshots.delete(ref)
  }
}

function chosen<K, V>(map: Map<K, V>, pick: number): [K, V] | undefined {
  return [...map][pick % Math.max(map.size, 1)]
}
