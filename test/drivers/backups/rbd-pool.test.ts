import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { MiB } from '../../../domain/sizes.ts'
import type { BackupPool, PoolWrite } from '../../../drivers/backups/pool.ts'
import { openRbdBackupPool } from '../../../drivers/backups/rbd/rbd-backup-pool.ts'
import type { VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { asCephAdmin, HAS_CEPH, newRbdConfig, sharedCeph, TRIED_TWICE } from '../../support/ceph-cluster.ts'
import { newSnapshot, write } from '../volumes/contract-steps.ts'
import { bytesOf, firstDifference, type Pattern, readAll } from '../volumes/device-bytes.ts'

const SIZE = 24 * MiB
const FIRST: Pattern = { byte: 1, offset: 0, length: 10 * MiB }
const SECOND: Pattern = { byte: 2, offset: 5 * MiB, length: 9 * MiB }
const THIRD: Pattern = { byte: 3, offset: 18 * MiB, length: MiB }

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', TRIED_TWICE, () => {
  test('each backup holds what its snapshot held, also when those before and after it are deleted', async () => {
    const series = await Series.start()
    const one = await series.backUp(FIRST)
    const two = await series.backUp(SECOND)
    const three = await series.backUp(THIRD)
    expect(two.movedBytes).toBeLessThan(SECOND.length + 4 * MiB)
    expect(three.movedBytes).toBeLessThan(THIRD.length + 4 * MiB)
    await series.expectAll([one, two, three])
    await series.remove(two)
    await series.expectAll([one, three])
    // The newest: what the image itself has goes, too, and the next one starts from an older one.
    await series.remove(three)
    expect(await series.usedBytes()).toBeLessThanOrEqual(FIRST.length + 4 * MiB)
    const four = await series.backUp({ ...THIRD, byte: 4 }, { parent: one })
    await series.expectAll([one, four])
    await series.remove(one)
    await series.remove(four)
    expect(await Array.fromAsync(series.pool.list())).toEqual([])
    expect(JSON.parse(await asCephAdmin('rbd', 'ls', '--format', 'json', series.spec))).toEqual([])
  }, 180_000)

  test('one that was stopped on the way is made again, or leaves nothing that a later one would keep', async () => {
    const series = await Series.start()
    const one = await series.backUp(FIRST)
    for (const stopAt of [1, 3]) {
      const stopped = await series.next(SECOND, { parent: one })
      await expect(series.make(stopped, { stopAt })).rejects.toThrow('stopped')
      // Again, as another attempt does it.
      await series.make(stopped)
      await series.expectAll([one, stopped])
      await series.remove(stopped)
    }
    const cancelled = await series.next(THIRD, { parent: one })
    await expect(series.make(cancelled, { stopAt: 2 })).rejects.toThrow('stopped')
    await series.remove(cancelled)
    await series.expectAll([one])
    // It says nothing of the place where the one before it had written.
    const later = await series.backUp({ byte: 7, offset: 0, length: MiB }, { parent: one })
    await series.expectAll([one, later])
    const full = await series.next({ byte: 8, offset: 0, length: MiB }, { parent: null })
    await expect(series.make(full, { stopAt: 2 })).rejects.toThrow('stopped')
    await series.make(full)
    await series.expectAll([one, later, full])
  }, 180_000)

  test('a first one that was stopped is undone to nothing, and done twice it is there once', async () => {
    const series = await Series.start()
    const first = await series.next(FIRST, { parent: null })
    await expect(series.make(first, { stopAt: 2 })).rejects.toThrow('stopped')
    await series.remove(first)
    await series.remove(first)
    expect(await Array.fromAsync(series.pool.list())).toEqual([])
    await series.make(first)
    await expect(series.make(first)).resolves.toEqual({ movedBytes: 0 })
    await series.expectAll([first])
    expect(await Array.fromAsync(series.pool.list())).toMatchObject([
      { backupId: first.backupId, sizeBytes: SIZE },
    ])
  }, 180_000)

  test('a volume that has grown, and zeroes where there was data, are in the backup', async () => {
    const series = await Series.start()
    const one = await series.backUp(FIRST)
    await series.driver.extendVolume({ volumeId: series.volumeId, sizeBytes: SIZE + 8 * MiB })
    series.sizeBytes = SIZE + 8 * MiB
    const two = await series.backUp({ byte: 0, offset: 2 * MiB, length: 6 * MiB }, { parent: one })
    const three = await series.backUp({ byte: 5, offset: SIZE, length: MiB }, { parent: null })
    await series.expectAll([one, two, three])
  }, 180_000)

  test('an attempt that was cut off cannot write any more once its successor has begun', async () => {
    const series = await Series.start()
    const one = await series.backUp(FIRST)
    const next = await series.next(SECOND, { parent: one })
    let goOn = () => {}
    const held = new Promise<void>((resolve) => (goOn = resolve))
    const pieces: number[] = []
    const old = series.make(next, { pace: async (bytes) => (pieces.push(bytes) < 3 ? undefined : held) })
    old.catch(() => undefined)
    await expect.poll(() => pieces.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(3)
    await series.make(next)
    goOn()
    await expect(old).rejects.toMatchObject({ name: 'DriverError' })
    await series.expectAll([one, next])
    const third = await series.backUp(THIRD, { parent: next })
    await series.expectAll([one, next, third])
  }, 180_000)
})

interface Made {
  readonly backupId: string
  readonly snapshotId: string
  readonly parent: Made | null
  readonly expected: Buffer
  readonly movedBytes: number
}

/** A volume, and its backups. */
class Series {
  readonly driver: VolumeDriver
  readonly pool: BackupPool
  readonly volumeId = randomUUID()
  readonly spec: string
  sizeBytes = SIZE
  readonly #patterns: Pattern[] = []
  #newest: Made | null = null

  private constructor(driver: VolumeDriver, pool: BackupPool, spec: string) {
    this.driver = driver
    this.pool = pool
    this.spec = spec
  }

  static async start(): Promise<Series> {
    const config = await newRbdConfig('backups')
    const [driver, pool] = [await openVolumeDriver(await newRbdConfig()), await openRbdBackupPool(config)]
    const series = new Series(driver, pool, `backups/${config.namespace}`)
    await driver.createVolume({ volumeId: series.volumeId, sizeBytes: SIZE })
    return series
  }

  async backUp(pattern: Pattern, { parent }: { parent?: Made | null } = {}): Promise<Made> {
    const made = await this.next(pattern, { parent: parent === undefined ? this.#newest : parent })
    this.#newest = { ...made, ...(await this.make(made)) }
    return this.#newest
  }

  async next(pattern: Pattern, { parent }: { parent: Made | null }): Promise<Made> {
    await write(this.driver, this.volumeId, pattern)
    this.#patterns.push(pattern)
    const { snapshotId } = await newSnapshot(this.driver, this.volumeId)
    const expected = bytesOf(this.sizeBytes, ...this.#patterns)
    return { backupId: randomUUID(), snapshotId, parent, expected, movedBytes: 0 }
  }

  /** `stopAt`: at so many pieces. */
  async make(
    { backupId, snapshotId, parent }: Made,
    { stopAt, pace }: { stopAt?: number; pace?: PoolWrite['pace'] } = {},
  ): Promise<{ movedBytes: number }> {
    const stop = new AbortController()
    let pieces = 0
    const { volumeId } = this
    const source = await this.driver.exportDiff?.({
      volumeId,
      snapshotId,
      fromSnapshotId: parent?.snapshotId ?? null,
    })
    if (source === undefined) throw new Error('Expected a driver that exports')
    return this.pool.writeBackup({
      ...{ backupId, volumeId, source, signal: stop.signal },
      parentBackupId: parent?.backupId ?? null,
      pace: async (bytes) => {
        pieces += 1
        if (pieces === stopAt) stop.abort(new Error('stopped'))
        await pace?.(bytes)
      },
      onProgress: ({ doneBytes }) => expect(doneBytes).toBeLessThanOrEqual(this.sizeBytes),
    })
  }

  remove({ backupId }: Made): Promise<void> {
    return this.pool.deleteBackup({ backupId, volumeId: this.volumeId })
  }

  async expectAll(made: readonly Made[]): Promise<void> {
    for (const { backupId, expected } of made) {
      const device = await this.pool.openBackup({ backupId })
      expect(firstDifference(await readAll(device), expected)).toBeUndefined()
    }
  }

  async usedBytes(): Promise<number> {
    const { images } = JSON.parse(
      await asCephAdmin('rbd', 'du', '--format', 'json', `${this.spec}/backups-${this.volumeId}`),
    ) as { images: { used_size: number }[] }
    return images.reduce((sum, { used_size: bytes }) => sum + bytes, 0)
  }
}
