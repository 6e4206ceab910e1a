import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { VolumeDriver } from '../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../drivers/volumes/registry.ts'
import type { Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import type { RbdPlaceToCheck } from '../checker/installation.ts'
import { rbdSha256 } from '../checker/rbd-backend.ts'
import { write } from '../drivers/volumes/contract-steps.ts'
import { HAS_CEPH, newRbdPlace, sharedCeph } from '../support/ceph-cluster.ts'
import { tempDir } from '../support/temp-dir.ts'
import { Installation } from './installation.ts'
import { ended, killWorkerOf, MiB, until } from './steps.ts'

const SIZE_BYTES = 64 * MiB
/** Some seconds for a cluster of one OSD. */
const LARGE_BYTES = 512 * MiB
const TARGET = 'pool'

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', () => {
  test('backups in a pool are made, verified, restored to both kinds of backends, and deleted in any order', async () => {
    await using scene = await Scene.start()
    const { client, installation } = scene
    const volumeId = await scene.newVolume()
    const first = await scene.change(volumeId, { byte: 1, offset: 8 * MiB, length: 20 * MiB })
    const full = await ended(installation, client.createBackup({ volumeId, target: TARGET }))
    expect(full.result).toMatchObject({ path: 'full' })
    const second = await scene.change(volumeId, { byte: 2, offset: 12 * MiB, length: MiB })
    const next = await ended(
      installation,
      client.createBackup({ volumeId, target: TARGET, incremental: true }),
    )
    expect(next.result).toMatchObject({ path: 'incremental', scan: 'changed' })
    expect(next.movedBytes).toBeLessThanOrEqual(4 * MiB)
    const third = await scene.change(volumeId, { byte: 3, offset: 40 * MiB, length: MiB })
    const last = await ended(
      installation,
      client.createBackup({ volumeId, target: TARGET, incremental: true }),
    )
    expect((await client.showBackup(last.resourceId)).storedBytes).toBeLessThanOrEqual(4 * MiB)

    const restored = await ended(
      installation,
      client.createVolume({ backupId: next.resourceId, backend: 'rbd' }),
    )
    expect(restored.result).toMatchObject({ path: 'cluster-copy' })
    expect(await scene.hash(restored.resourceId)).toBe(second)
    const inFiles = await ended(
      installation,
      client.createVolume({ backupId: full.resourceId, backend: 'files' }),
    )
    expect(inFiles.result).toMatchObject({ path: 'copy' })
    for (const level of ['presence', 'content', 'restore'] as const)
      await ended(installation, client.verifyBackup(next.resourceId, { level, backend: 'rbd' }))
    expect(await client.showBackup(next.resourceId)).toMatchObject({ status: 'available', damagedObjects: 0 })

    await ended(installation, client.deleteBackup(next.resourceId))
    const into = await ended(installation, client.restoreBackup(full.resourceId, { volumeId }))
    expect(into.result).toMatchObject({ path: 'cluster-copy' })
    expect(await scene.hash(volumeId)).toBe(first)
    const back = await ended(installation, client.restoreBackup(last.resourceId, { volumeId }))
    expect(back.result).toMatchObject({ path: 'snapshot', movedBytes: 0 })
    expect(await scene.hash(volumeId)).toBe(third)
    await scene.expectClean()
    for (const { resourceId } of [last, full]) await ended(installation, client.deleteBackup(resourceId))
    await scene.expectClean()
  }, 600_000)

  test('killed in the middle both go on, and cancelled there they leave nothing behind', async () => {
    await using scene = await Scene.start()
    const { client, installation } = scene
    const volumeId = await scene.newVolume()
    await scene.change(volumeId, { byte: 1, offset: 0, length: 48 * MiB })
    const limit = (rateLimitBytes: number | null) => client.changeBackend('rbd', { rateLimitBytes })

    await limit(8 * MiB)
    const cancelled = await scene.begun(client.createBackup({ volumeId, target: TARGET }))
    await client.cancelOperation(cancelled.id)
    await ended(installation, cancelled, 'cancelled')
    await scene.expectClean()

    const killed = await scene.begun(client.createBackup({ volumeId, target: TARGET }))
    await killWorkerOf(installation, killed)
    await limit(null)
    await ended(installation, killed)
    const changed = await scene.change(volumeId, { byte: 2, offset: 4 * MiB, length: 40 * MiB })
    await limit(8 * MiB)
    const next = await scene.begun(client.createBackup({ volumeId, target: TARGET, incremental: true }))
    await killWorkerOf(installation, next)
    await limit(null)
    await ended(installation, next)

    await limit(8 * MiB)
    const restoring = await scene.begun(client.createVolume({ backupId: next.resourceId, backend: 'rbd' }))
    await killWorkerOf(installation, restoring)
    await limit(null)
    await ended(installation, restoring)
    expect(await scene.hash(restoring.resourceId)).toBe(changed)

    await limit(8 * MiB)
    const dropped = await scene.begun(client.createVolume({ backupId: next.resourceId, backend: 'rbd' }))
    await client.cancelOperation(dropped.id)
    await ended(installation, dropped, 'cancelled')
    const late = await scene.begun(client.createBackup({ volumeId, target: TARGET }))
    await client.cancelOperation(late.id)
    await ended(installation, late, 'cancelled')
    await limit(null)
    await scene.expectClean()
  }, 600_000)

  test('what the cluster was about to copy passes through us when it is killed', async () => {
    await using scene = await Scene.start()
    const { client, installation } = scene
    const volumeId = await scene.newVolume(LARGE_BYTES)
    const hash = await scene.change(volumeId, { byte: 1, offset: 0, length: LARGE_BYTES })
    const { resourceId: backupId } = await ended(
      installation,
      client.createBackup({ volumeId, target: TARGET }),
    )
    const killed = await scene.begun(client.createVolume({ backupId, backend: 'rbd' }))
    await killWorkerOf(installation, killed)
    expect((await ended(installation, killed)).result).toMatchObject({ path: 'copy' })
    expect(await scene.hash(killed.resourceId)).toBe(hash)
    const cancelled = await scene.begun(client.createVolume({ backupId, backend: 'rbd' }))
    await client.cancelOperation(cancelled.id)
    await ended(installation, cancelled, 'cancelled')
    await scene.expectClean()
  }, 600_000)
})

/** An installation with a backend and a target in one cluster. */
class Scene implements AsyncDisposable {
  readonly installation: Installation
  readonly #place: RbdPlaceToCheck
  readonly #driver: VolumeDriver

  private constructor(installation: Installation, place: RbdPlaceToCheck, driver: VolumeDriver) {
    this.installation = installation
    this.#place = place
    this.#driver = driver
  }

  static async start(): Promise<Scene> {
    const [rbd, rbdTarget] = [await newRbdPlace(), await newRbdPlace('backups')]
    const ownConfFile = join(await tempDir(), 'rbd.conf')
    const driver = await openVolumeDriver({ driver: 'rbd', ...rbd, ownConfFile })
    return new Scene(await Installation.start({ rbd, rbdTarget }), rbd, driver)
  }

  get client() {
    return this.installation.client
  }

  async newVolume(sizeBytes = SIZE_BYTES): Promise<string> {
    const { resourceId } = await ended(
      this.installation,
      this.client.createVolume({ sizeBytes, backend: 'rbd' }),
    )
    return resourceId
  }

  /** Answers the hash of what it is then. */
  async change(volumeId: string, pattern: Parameters<typeof write>[2]): Promise<string> {
    await write(this.#driver, volumeId, pattern)
    return this.hash(volumeId)
  }

  hash(volumeId: string): Promise<string> {
    return rbdSha256(this.#place, `volume-${volumeId}`)
  }

  async begun(started: Promise<{ operation: Operation }>): Promise<Operation> {
    const { operation } = await started
    await until('some of it is moved', async () => {
      return (await this.client.showOperation(operation.id)).movedBytes > 8 * MiB
    })
    return operation
  }

  /** The key of the cluster's user must be nowhere but in its own file. */
  async expectClean(): Promise<void> {
    const { keyringFile } = await sharedCeph()
    const key = /key = (\S+)/.exec(await readFile(keyringFile, 'utf8'))?.[1] ?? ''
    await expectClean(this.installation.checked({ secrets: { 'the key of the Ceph user': key } }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.installation[Symbol.asyncDispose]()
  }
}
