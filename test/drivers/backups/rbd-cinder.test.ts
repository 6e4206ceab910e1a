/** What a real Cinder's Ceph driver wrote into a pool of backups. */
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { GiB, MiB } from '../../../domain/sizes.ts'
import type { BackupPool } from '../../../drivers/backups/pool.ts'
import { openRbdBackupPool } from '../../../drivers/backups/rbd/rbd-backup-pool.ts'
import type { VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { rbdSha256 } from '../../checker/rbd-backend.ts'
import { asCephAdmin, configOf, HAS_CEPH, sharedCeph, TRIED_TWICE } from '../../support/ceph-cluster.ts'
import { type CinderService, startCinder } from '../../support/cinder/cinder-service.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { write } from '../volumes/contract-steps.ts'

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', TRIED_TWICE, () => {
  test('a series and a full backup are found, read, and deleted in any order', async () => {
    await using scene = await Scene.start()
    const { pool, cinder } = scene
    const volumeId = await scene.newVolume()
    const first = await scene.change(volumeId, 1, 0)
    const one = await cinder.backup({ volumeId })
    const second = await scene.change(volumeId, 2, 8 * MiB)
    const two = await cinder.backup({ volumeId, parentId: one.backupId })
    const [other, path] = [await cinder.createVolume('in a file'), join(await tempDir(), 'volume.raw')]
    await writeFile(path, Buffer.alloc(GiB, 3))
    const whole = await cinder.backup({ volumeId: other, path })
    const [a, b, c] = [one, two, whole].map(({ backupId }) => backupId)
    const all = [
      { volumeId, backupId: a, parentBackupId: null, sizeBytes: GiB },
      { volumeId, backupId: b, parentBackupId: a, sizeBytes: GiB },
      { volumeId: other, backupId: c, parentBackupId: null, sizeBytes: GiB },
    ]
    expect(new Set(await scene.found())).toEqual(new Set(all))
    // It is not ours to judge.
    expect(await Array.fromAsync(pool.list())).toEqual([])
    expect([await scene.hash(a), await scene.hash(b)]).toEqual([first, second])
    expect(await pool.findBackup({ backupId: String(c) })).toMatchObject({ volumeId: other })

    await pool.deleteBackup({ backupId: String(a), volumeId })
    expect(new Set((await scene.found()).map(({ backupId }) => backupId))).toEqual(new Set([b, c]))
    expect(await scene.hash(b)).toBe(second)
    for (const backupId of [b, c]) await pool.deleteBackup({ backupId: String(backupId) })
    expect(await scene.found()).toEqual([])
    expect(await scene.namesOf(volumeId, other)).toEqual([])
  }, 300_000)

  test('what was deleted by half, and what Cinder has not finished, is no backup', async () => {
    await using scene = await Scene.start()
    const { pool, cinder } = scene
    const volumeId = await scene.newVolume()
    const { backupId } = await cinder.backup({ volumeId })
    const image = `backups/volume-${volumeId}.backup.${backupId}`
    await asCephAdmin('rbd', 'image-meta', 'set', image, 'volflow.removing', backupId)
    await asCephAdmin('rbd', 'snap', 'purge', '--no-progress', image)
    const begun = `backups/volume-${volumeId}.backup.${randomUUID()}`
    await asCephAdmin('rbd', 'create', '--size', '1G', begun)
    expect(await scene.found()).toEqual([])
    await expect(pool.copySource({ backupId, volumeId })).rejects.toMatchObject({ kind: 'notFound' })
    await pool.deleteBackup({ backupId, volumeId })
    await asCephAdmin('rbd', 'rm', '--no-progress', begun)
    expect(await scene.namesOf(volumeId)).toEqual([])
  }, 300_000)
})

/** The whole pools, since Cinder knows no namespaces. */
class Scene implements AsyncDisposable {
  readonly driver: VolumeDriver
  readonly pool: BackupPool
  readonly cinder: CinderService
  readonly #volumes: Parameters<typeof rbdSha256>[0]
  readonly #volumeIds: string[] = []

  private constructor(
    driver: VolumeDriver,
    pool: BackupPool,
    cinder: CinderService,
    volumes: Parameters<typeof rbdSha256>[0],
  ) {
    this.driver = driver
    this.pool = pool
    this.cinder = cinder
    this.#volumes = volumes
  }

  static async start(): Promise<Scene> {
    const { user, confFile, keyringFile } = await sharedCeph()
    const placeOf = (pool: string) => ({ pool, user, confFile, keyringFile })
    const config = await configOf(placeOf('volumes'))
    const driver = await openVolumeDriver(config)
    const pool = await openRbdBackupPool(await configOf(placeOf('backups')))
    const cinder = await startCinder({ driver: 'ceph', user, confFile: config.ownConfFile })
    return new Scene(driver, pool, cinder, { ...placeOf('volumes'), namespace: undefined })
  }

  async newVolume(): Promise<string> {
    const volumeId = await this.cinder.createVolume('in the cluster')
    await this.driver.createVolume({ volumeId, sizeBytes: GiB })
    this.#volumeIds.push(volumeId)
    return volumeId
  }

  /** Answers its hash. */
  async change(volumeId: string, byte: number, offset: number): Promise<string> {
    await write(this.driver, volumeId, { byte, offset, length: 12 * MiB })
    return rbdSha256(this.#volumes, `volume-${volumeId}`)
  }

  async found() {
    const found = await Array.fromAsync(this.pool.found())
    for (const { storedBytes, madeAtMs } of found) {
      expect(storedBytes).toBeGreaterThan(0)
      expect(Math.abs(Date.now() - madeAtMs)).toBeLessThan(600_000)
    }
    return found.map(({ volumeId, backupId, parentBackupId, sizeBytes }) => ({
      ...{ volumeId, backupId, parentBackupId, sizeBytes },
    }))
  }

  /** Of a volume that it was restored to. */
  async hash(backupId = ''): Promise<string> {
    const newVolumeId = randomUUID()
    const request = { newVolumeId, sizeBytes: GiB, signal: new AbortController().signal }
    const source = await this.pool.copySource({ backupId })
    expect(await this.driver.copyImage?.({ ...request, source, onProgress: () => {} })).toBe(true)
    this.#volumeIds.push(newVolumeId)
    return rbdSha256(this.#volumes, `volume-${newVolumeId}`)
  }

  /** Whatever the pool has of these volumes. */
  async namesOf(...volumeIds: string[]): Promise<string[]> {
    const images = JSON.parse(await asCephAdmin('rbd', 'ls', '--format', 'json', 'backups')) as string[]
    return images.filter((image) => volumeIds.some((volumeId) => image.includes(volumeId)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cinder.stop()
    for (const volumeId of this.#volumeIds) {
      await asCephAdmin('rbd', 'snap', 'purge', '--no-progress', `volumes/volume-${volumeId}`)
      await this.driver.deleteVolume({ volumeId })
    }
  }
}
