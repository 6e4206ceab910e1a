/** Driver and backup format together: whatever happens to a volume between two backups, each backup has the bytes of its time. */
import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { commitBackup } from '../../../backup-format/commit.ts'
import type { Repository } from '../../../backup-format/repository.ts'
import { uploadBackup } from '../../../backup-format/upload.ts'
import type { OpenDevice } from '../../../block-io/device.ts'
import { directSpec } from '../../../block-io/direct.ts'
import { serveDevice } from '../../../block-io/export.ts'
import { openWriter } from '../../../block-io/writer.ts'
import { runProcess } from '../../../block-io/process.ts'
import { KiB, MiB } from '../../../domain/sizes.ts'
import type { VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { memoryRepository, restored, uploadRequest } from '../../backup-format/fixtures.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { firstDifference, nameOf, readAll } from './device-bytes.ts'
import { mountXfs } from './mounts.ts'

const mounted = await mountXfs()
const SIZE_BYTES = 2 * MiB
const RUNS = 5

const step = fc.record({
  kind: fc.constantFrom(
    'write',
    'write',
    'zero',
    'extend',
    'revert',
    'restore',
    'compact',
    'backup',
    'backup',
  ),
  at: fc.nat(255),
  kibs: fc.integer({ min: 1, max: 300 }),
  byte: fc.integer({ min: 1, max: 255 }),
  pick: fc.nat(),
} as const)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

describe.each([
  ['layers', async () => tempDir()],
  ['reflink', async () => join(mounted ?? '', randomUUID())],
] as const)('on a backend with %s', (kind, folder) => {
  test.runIf(kind === 'layers' || mounted !== undefined)(
    'each backup of a random life has the bytes of its time',
    async () => {
      let listed = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 20 }), async (steps) => {
          const life = await Life.begin(await folder())
          for (const each of steps) await life.apply(each)
          await life.backUp()
          listed += life.listed
        }),
        { numRuns: RUNS },
      )
      expect(listed).toBeGreaterThan(0)
    },
    180_000,
  )
})

test('forty incremental backups of one volume, merged in between: flat, and each with the bytes of its time', async () => {
  const path = await tempDir()
  const life = await Life.begin(path)
  for (let round = 1; round <= 41; round++) {
    await life.apply({ kind: 'write', at: (round * 37) % 256, kibs: 100, byte: round, pick: 1 })
    await life.backUp()
    if (round % 8 === 0) await life.apply({ kind: 'compact', at: 0, kibs: 0, byte: 0, pick: 1 })
  }
  await life.apply({ kind: 'compact', at: 0, kibs: 0, byte: 0, pick: 1 })
  expect(life.listed).toBe(40)
  expect(await readdir(join(path, 'volumes', life.volumeId))).toEqual(['0.raw'])
}, 180_000)

/** A volume with the model of its bytes, the snapshot that its newest backup left, and snapshots of its user's. */
class Life {
  readonly volumeId = randomUUID()
  readonly #driver: VolumeDriver
  readonly #repository: Repository
  readonly #snapshots: { snapshotId: string; bytes: Buffer }[] = []
  #bytes = Buffer.alloc(SIZE_BYTES)
  #parent: { backupId: string; snapshotId: string } | undefined
  listed = 0

  private constructor(driver: VolumeDriver, repository: Repository) {
    this.#driver = driver
    this.#repository = repository
  }

  static async begin(path: string): Promise<Life> {
    const life = new Life(
      await openVolumeDriver({ driver: 'file', path }),
      (await memoryRepository()).repository,
    )
    await life.#driver.createVolume({ volumeId: life.volumeId, sizeBytes: SIZE_BYTES })
    return life
  }

  async apply({ kind, at, kibs, byte, pick }: Step): Promise<void> {
    const { volumeId } = this
    const offset = (at * this.#bytes.length) / 256
    const length = Math.min(kibs * KiB, this.#bytes.length - offset)
    const snapshot = this.#snapshots[pick % Math.max(1, this.#snapshots.length)]
    if (kind === 'write') await this.#write(volumeId, `write -P ${byte} ${offset} ${length}`)
    if (kind === 'zero') await this.#write(volumeId, `write -z -u ${offset} ${length}`)
    if (kind === 'write' || kind === 'zero')
      this.#bytes.fill(kind === 'write' ? byte : 0, offset, offset + length)
    if (kind === 'extend') await this.#extend()
    if (kind === 'revert' && snapshot !== undefined) {
      await this.#driver.revertVolume({ volumeId, ...snapshot, sizeBytes: this.#bytes.length })
      this.#bytes = Buffer.concat([snapshot.bytes], this.#bytes.length)
    }
    if (kind === 'restore' && snapshot !== undefined) await this.#restore(snapshot.bytes)
    if (kind === 'compact')
      await this.#driver.compactVolume?.({ volumeId, signal: new AbortController().signal })
    if (kind === 'backup') await this.backUp()
    // The user's own snapshot now and then.
    if (pick % 4 === 0 && this.#snapshots.length < 4) {
      this.#snapshots.push({ snapshotId: await this.#snapshot(), bytes: Buffer.from(this.#bytes) })
    }
  }

  /** As the product does it: compared by the snapshot that the last backup left, which then goes. */
  async backUp(): Promise<void> {
    const { volumeId } = this
    const snapshotId = await this.#snapshot()
    const parent = this.#parent
    const changes =
      parent === undefined
        ? { unknown: 'first' }
        : await this.#driver.changedRanges({
            ...{ volumeId, fromSnapshotId: parent.snapshotId, toSnapshotId: snapshotId },
          })
    const list = 'ranges' in changes ? { changedRanges: changes.ranges } : {}
    if ('ranges' in changes) this.listed += 1
    const device = await this.#driver.openSnapshot({ volumeId, snapshotId })
    const backupId = await this.#upload(device, {
      ...(parent && { parentBackupId: parent.backupId }),
      ...list,
    })
    const found = await restored(this.#repository, backupId, this.#bytes.length)
    expect(firstDifference(found, this.#bytes)).toBeUndefined()
    if (parent !== undefined) await this.#driver.deleteSnapshot({ volumeId, ...parent })
    this.#parent = { backupId, snapshotId }
  }

  async #upload(device: OpenDevice, more: object): Promise<string> {
    const { sizeBytes } = device
    const direct = directSpec(device)
    const options = { socketDirectory: await tempDir(), confined: false }
    const served = direct === undefined ? await serveDevice(device, options) : undefined
    const source = direct ?? served?.spec
    const request = uploadRequest(
      { path: '', bytes: { length: sizeBytes } },
      { ...more, ...(source && { source }) },
    )
    await uploadBackup(this.#repository, request)
    await commitBackup(this.#repository, request)
    await served?.close()
    await device.close()
    return request.backupId
  }

  async #snapshot(): Promise<string> {
    const snapshotId = randomUUID()
    await this.#driver.createSnapshot({ volumeId: this.volumeId, snapshotId })
    return snapshotId
  }

  async #extend(): Promise<void> {
    const sizeBytes = this.#bytes.length + MiB
    await this.#driver.extendVolume({ volumeId: this.volumeId, sizeBytes })
    this.#bytes = Buffer.concat([this.#bytes], sizeBytes)
  }

  /** Into a clone of the volume, only what differs, which then takes its place. */
  async #restore(bytes: Buffer): Promise<void> {
    const { volumeId } = this
    const [snapshotId, contentId, sizeBytes] = [await this.#snapshot(), randomUUID(), this.#bytes.length]
    await this.#driver.cloneSnapshot({ volumeId, snapshotId, newVolumeId: contentId, sizeBytes })
    await this.#driver.deleteSnapshot({ volumeId, snapshotId })
    const wanted = Buffer.concat([bytes], sizeBytes)
    const device = await this.#driver.openVolume({ volumeId: contentId, access: 'write' })
    const served = await serveDevice(device, {
      socketDirectory: await tempDir(),
      confined: false,
      writable: true,
    })
    const writer = await openWriter(served.spec)
    for (let at = 0; at < sizeBytes; at += 64 * KiB) {
      const piece = wanted.subarray(at, at + 64 * KiB)
      if (!piece.equals(this.#bytes.subarray(at, at + 64 * KiB))) await writer.write(piece, at)
    }
    await writer.flush()
    await writer.close()
    await served.close()
    await device.close()
    await this.#driver.replaceVolume({ volumeId, contentId })
    this.#bytes = wanted
    const now = await readAll(await this.#driver.openVolume({ volumeId, access: 'read' }))
    expect(firstDifference(now, wanted)).toBeUndefined()
  }

  async #write(volumeId: string, command: string): Promise<void> {
    const device = await this.#driver.openVolume({ volumeId, access: 'write' })
    await runProcess('qemu-io', ['-c', command, nameOf(device)])
    await device.close()
  }
}
