/** Part of the contract: whatever happened to a volume, `changedRanges` never misses a change between two of its snapshots. */
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ByteRange } from '../../../block-io/device.ts'
import { runProcess } from '../../../block-io/process.ts'
import { KiB, MiB } from '../../../domain/sizes.ts'
import type { ChangedRanges, SnapshotRef, VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { EARLY, LATE, newSnapshot, newVolume, SIZE, volumeWithSnapshot, write } from './contract-steps.ts'
import { nameOf } from './device-bytes.ts'

const GRAIN_BYTES = 4 * KiB

const step = fc.record({
  kind: fc.constantFrom(
    'write',
    'write',
    'write',
    'zero',
    'discard',
    'extend',
    'revert',
    'replace',
    'forget',
    'compact',
  ),
  at: fc.nat(255),
  grains: fc.integer({ min: 1, max: 64 }),
  byte: fc.integer({ min: 1, max: 255 }),
  pick: fc.nat(),
  snapshot: fc.boolean(),
} as const)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

export function changedRangesTests(
  driver: () => VolumeDriver,
  { lives, stepsMax }: { lives: number; stepsMax: number },
): void {
  test('of two snapshots without a write between them are none', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    const later = await newSnapshot(driver(), volumeId)
    expect(await changed(driver(), ref, later)).toEqual({ ranges: [] })
  })

  test('are what was written, and little more', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    await write(driver(), volumeId, LATE)
    const later = await newSnapshot(driver(), volumeId)
    const found = await changed(driver(), ref, later)
    expect(covers(found, LATE)).toBe(true)
    expect(bytesIn(found)).toBeLessThanOrEqual(LATE.length + 128 * KiB)
  })

  test('of an extended volume are everything behind the old end', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    await driver().extendVolume({ volumeId, sizeBytes: SIZE + MiB })
    const found = await changed(driver(), ref, await newSnapshot(driver(), volumeId))
    expect(covers(found, { offset: SIZE, length: MiB })).toBe(true)
    expect(bytesIn(found)).toBe(MiB)
  })

  test('of a volume that got all new bytes are not known, or all of it', async () => {
    const { ref, volumeId } = await volumeWithSnapshot(driver())
    const contentId = await newVolume(driver())
    await write(driver(), contentId, { ...EARLY, byte: 7 })
    await driver().replaceVolume({ volumeId, contentId })
    const found = await changed(driver(), ref, await newSnapshot(driver(), volumeId))
    expect('unknown' in found || covers(found, EARLY)).toBe(true)
  })

  test('with a snapshot missing are notFound', async () => {
    const { ref } = await volumeWithSnapshot(driver())
    const missing = { ...ref, snapshotId: randomUUID() }
    await expect(changed(driver(), ref, missing)).rejects.toMatchObject({ kind: 'notFound' })
    await expect(changed(driver(), missing, ref)).rejects.toMatchObject({ kind: 'notFound' })
  })

  test('never miss a change, whatever happened between two snapshots', async () => {
    let known = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: stepsMax }), async (steps) => {
        const history = new History(driver(), await newVolume(driver()))
        for (const each of steps) await history.apply(each)
        known += await history.check()
      }),
      { numRuns: lives },
    )
    expect(known).toBeGreaterThan(0)
  }, 120_000)
}

function changed(driver: VolumeDriver, from: SnapshotRef, to: SnapshotRef): Promise<ChangedRanges> {
  const { volumeId, snapshotId: fromSnapshotId } = from
  return driver.changedRanges({ volumeId, fromSnapshotId, toSnapshotId: to.snapshotId })
}

/** A volume and its snapshots, and beside them the bytes they should hold. */
class History {
  readonly #driver: VolumeDriver
  readonly #volumeId: string
  readonly #moments: { ref: SnapshotRef; bytes: Buffer }[] = []
  #bytes = Buffer.alloc(SIZE)

  constructor(driver: VolumeDriver, volumeId: string) {
    this.#driver = driver
    this.#volumeId = volumeId
  }

  async apply({ kind, at, grains, byte, pick, snapshot }: Step): Promise<void> {
    const offset = (at * this.#bytes.length) / 256
    const length = Math.min(grains * GRAIN_BYTES, this.#bytes.length - offset)
    const volumeId = this.#volumeId
    const moment = this.#moments[pick % Math.max(1, this.#moments.length)]
    if (kind === 'write') await this.#write(`write -P ${byte} ${offset} ${length}`, byte, offset, length)
    else if (kind === 'zero') await this.#write(`write -z ${offset} ${length}`, 0, offset, length)
    else if (kind === 'discard') await this.#write(`write -z -u ${offset} ${length}`, 0, offset, length)
    else if (kind === 'extend') await this.#extend()
    else if (kind === 'revert' && moment !== undefined) await this.#revert(moment)
    else if (kind === 'replace' && moment !== undefined) await this.#replace(moment)
    else if (kind === 'forget' && moment !== undefined) await this.#forget(moment)
    else if (kind === 'compact')
      await this.#driver.compactVolume?.({ volumeId, signal: new AbortController().signal })
    if (!snapshot) return
    const ref = await newSnapshot(this.#driver, volumeId)
    this.#moments.push({ ref, bytes: Buffer.from(this.#bytes) })
  }

  /** Every pair, in both directions. Answers how many were known. */
  async check(): Promise<number> {
    let known = 0
    for (const from of this.#moments) {
      for (const to of this.#moments) {
        const found = await changed(this.#driver, from.ref, to.ref)
        if ('ranges' in found) known += 1
        expect(differences(from.bytes, to.bytes).filter((range) => !covers(found, range))).toEqual([])
      }
    }
    return known
  }

  async #write(command: string, byte: number, offset: number, length: number): Promise<void> {
    const device = await this.#driver.openVolume({ volumeId: this.#volumeId, access: 'write' })
    const { stdout } = await runProcess('qemu-io', ['-c', command, nameOf(device)])
    await device.close()
    expect(stdout).toContain(`wrote ${length}/${length} bytes`)
    this.#bytes.fill(byte, offset, offset + length)
  }

  async #extend(): Promise<void> {
    const sizeBytes = this.#bytes.length + MiB
    await this.#driver.extendVolume({ volumeId: this.#volumeId, sizeBytes })
    this.#bytes = Buffer.concat([this.#bytes], sizeBytes)
  }

  async #revert({ ref, bytes }: { ref: SnapshotRef; bytes: Buffer }): Promise<void> {
    const sizeBytes = this.#bytes.length
    await this.#driver.revertVolume({ ...ref, sizeBytes })
    this.#bytes = Buffer.concat([bytes], sizeBytes)
  }

  /** As a restore into the volume does it. */
  async #replace({ ref, bytes }: { ref: SnapshotRef; bytes: Buffer }): Promise<void> {
    const sizeBytes = this.#bytes.length
    const contentId = randomUUID()
    await this.#driver.cloneSnapshot({ ...ref, newVolumeId: contentId, sizeBytes })
    await write(this.#driver, contentId, { byte: 0xcc, offset: 0, length: GRAIN_BYTES })
    await this.#driver.replaceVolume({ volumeId: this.#volumeId, contentId })
    this.#bytes = Buffer.concat([bytes], sizeBytes).fill(0xcc, 0, GRAIN_BYTES)
  }

  async #forget(moment: { ref: SnapshotRef; bytes: Buffer }): Promise<void> {
    await this.#driver.deleteSnapshot(moment.ref)
    this.#moments.splice(this.#moments.indexOf(moment), 1)
  }
}

/** Grains that the second has otherwise than the first, or that the first does not have. */
function differences(from: Buffer, to: Buffer): ByteRange[] {
  const found: ByteRange[] = []
  for (let offset = 0; offset < to.length; offset += GRAIN_BYTES) {
    const grain = (bytes: Buffer) => bytes.subarray(offset, offset + GRAIN_BYTES)
    if (!grain(from).equals(grain(to))) found.push({ offset, length: GRAIN_BYTES })
  }
  return found
}

function covers(changes: ChangedRanges, { offset, length }: ByteRange): boolean {
  if ('unknown' in changes) return true
  let reached = offset
  for (const range of changes.ranges.toSorted((a, b) => a.offset - b.offset)) {
    if (range.offset <= reached) reached = Math.max(reached, range.offset + range.length)
  }
  return reached >= offset + length
}

function bytesIn(changes: ChangedRanges): number {
  return 'unknown' in changes ? Infinity : changes.ranges.reduce((sum, { length }) => sum + length, 0)
}
