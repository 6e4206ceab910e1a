import { beforeAll, describe, expect, test } from 'vitest'
import { HAS_CEPH, sharedCeph } from '../support/ceph-cluster.ts'
import { PoolScene } from './pool-scene.ts'
import { ended, killWorkerOf, MiB } from './steps.ts'

const TARGET = 'pool'

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', () => {
  test('backups in a pool are made, verified, restored to both kinds of backends, and deleted in any order', async () => {
    await using scene = await PoolScene.start()
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

    const cinders = await scene.putCinders({ volumeId, backupId: next.resourceId })
    const imported = await ended(installation, client.importTarget(TARGET))
    expect(imported.result).toMatchObject({ imported: 1, known: 3 })
    expect(await client.showBackup(cinders)).toMatchObject({ status: 'available', format: 'rbd' })
    const again = await ended(installation, client.createVolume({ backupId: cinders, backend: 'rbd' }))
    expect(await scene.hash(again.resourceId)).toBe(second)
    await ended(installation, client.deleteBackup(cinders))

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
    await using scene = await PoolScene.start()
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
})
