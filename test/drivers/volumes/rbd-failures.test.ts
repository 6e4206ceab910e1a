/** What only a cluster does: writers that were left behind, clients of others, clones that outlive their parents, and no answer. */
import { randomUUID } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { OpenDevice } from '../../../block-io/device.ts'
import { startProcess } from '../../../block-io/process.ts'
import { openWriter } from '../../../block-io/writer.ts'
import { MiB } from '../../../domain/sizes.ts'
import type { VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import type { RbdConfig } from '../../../drivers/volumes/rbd/place.ts'
import { checkBlocklist } from '../../support/ceph-blocklist.ts'
import { asCephAdmin, HAS_CEPH, newRbdConfig, sharedCeph, TRIED_TWICE } from '../../support/ceph-cluster.ts'
import { tempDir } from '../../support/temp-dir.ts'
import {
  EARLY,
  expectVolume,
  LATE,
  newSnapshot,
  newVolume,
  SIZE,
  volumeWithSnapshot,
  write,
} from './contract-steps.ts'
import { bytesOf } from './device-bytes.ts'

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', TRIED_TWICE, () => {
  test('a writer that was cut off cannot write any more once its successor has begun', async () => {
    const { driver, spec } = await openHere()
    const volumeId = await newVolume(driver)
    const old = await driver.openVolume({ volumeId, access: 'write' })
    const oldWriter = await openWriter(servedBy(old))
    await oldWriter.write(Buffer.alloc(MiB, 1), 0)
    await oldWriter.flush()
    const server = await serverOf(old)
    process.kill(server, 'SIGSTOP')
    // On its way already, as from a host that has lost its network and comes back.
    const late = oldWriter.write(Buffer.alloc(MiB, 9), 0).then(
      () => oldWriter.flush(),
      (error: unknown) => {
        throw error
      },
    )
    late.catch(() => undefined)
    await write(driver, volumeId, { byte: 2, offset: 0, length: MiB })
    process.kill(server, 'SIGCONT')
    await expect(late).rejects.toMatchObject({ name: 'DriverError' })
    await oldWriter.close()
    await expectVolume(driver, volumeId, bytesOf(SIZE, { byte: 2, offset: 0, length: MiB }))
    const { entries } = await checkBlocklist((...args) => asCephAdmin('ceph', ...args))
    expect(entries).toBeGreaterThan(0)
    expect(
      JSON.parse(await asCephAdmin('rbd', 'lock', 'ls', '--format', 'json', `${spec}/volume-${volumeId}`)),
    ).toEqual([])
    await old.close()
  }, 120_000)

  test('one that was killed holds nobody up', async () => {
    const { driver } = await openHere()
    const volumeId = await newVolume(driver)
    const old = await driver.openVolume({ volumeId, access: 'write' })
    const oldWriter = await openWriter(servedBy(old))
    await oldWriter.write(Buffer.alloc(MiB, 1), 0)
    await oldWriter.flush()
    process.kill(await serverOf(old), 'SIGKILL')
    await oldWriter.close()
    await driver.extendVolume({ volumeId, sizeBytes: 2 * SIZE })
    await expectVolume(driver, volumeId, bytesOf(2 * SIZE, { byte: 1, offset: 0, length: MiB }))
    await driver.deleteVolume({ volumeId })
    expect(await driver.list()).toEqual({ volumeIds: [], snapshots: [] })
  }, 120_000)

  test('what somebody else writes is left alone, and snapshotted only together with a guest', async () => {
    const { driver, config } = await openHere()
    const { volumeId, ref } = await volumeWithSnapshot(driver)
    const image = { driver: 'rbd', pool: 'volumes', namespace: config.namespace, image: `volume-${volumeId}` }
    const blockdev = { ...image, conf: config.ownConfFile, user: config.user }
    const guest = startProcess('qemu-io', [
      '-c',
      `write -P 3 0 4k`,
      '-c',
      'sleep 600000',
      `json:${JSON.stringify(blockdev)}`,
    ])
    await expect
      .poll(() => asCephAdmin('rbd', 'status', `volumes/${config.namespace}/volume-${volumeId}`), {
        timeout: 10_000,
      })
      .toContain('watcher=')
    const calls = await Promise.allSettled([
      driver.createSnapshot({ volumeId, snapshotId: randomUUID() }),
      driver.extendVolume({ volumeId, sizeBytes: 2 * SIZE }),
      driver.revertVolume({ ...ref, sizeBytes: SIZE }),
      driver.deleteVolume({ volumeId }),
      driver.openVolume({ volumeId, access: 'write' }),
      driver.detachVolume({ volumeId }),
    ])
    for (const call of calls)
      expect(call).toMatchObject({
        status: 'rejected',
        reason: { kind: 'inUse', message: expect.stringMatching(/open for writing/) as string },
      })
    await driver.createSnapshot({ volumeId, snapshotId: randomUUID(), guest: 'vm' })
    await guest.stop()
  }, 120_000)

  test('what clones still read from waits in the trash, and goes with the last of them', async () => {
    const { driver, spec } = await openHere()
    const { volumeId, ref } = await volumeWithSnapshot(driver)
    const [first, second] = [randomUUID(), randomUUID()]
    await driver.cloneSnapshot({ ...ref, newVolumeId: first, sizeBytes: SIZE })
    await driver.cloneSnapshot({
      ...(await newSnapshot(driver, first)),
      newVolumeId: second,
      sizeBytes: SIZE,
    })
    await driver.deleteSnapshot(ref)
    await driver.deleteVolume({ volumeId })
    await driver.sweep?.()
    await expectVolume(driver, second, bytesOf(SIZE, EARLY))
    const trash = async () =>
      JSON.parse(await asCephAdmin('rbd', 'trash', 'ls', '--format', 'json', spec)) as unknown[]
    expect(await trash()).toHaveLength(1)
    for (const [snapshot] of [(await driver.list()).snapshots])
      if (snapshot !== undefined) await driver.deleteSnapshot(snapshot)
    await driver.deleteVolume({ volumeId: first })
    await driver.deleteVolume({ volumeId: second })
    await driver.sweep?.()
    expect(await trash()).toEqual([])
  }, 120_000)

  test('a clone of too many clones is refused, and a revert of one has nothing below it', async () => {
    const { driver } = await openHere({ cloneDepthMax: 1 })
    const { ref } = await volumeWithSnapshot(driver)
    const clone = randomUUID()
    await driver.cloneSnapshot({ ...ref, newVolumeId: clone, sizeBytes: SIZE })
    const deep = await newSnapshot(driver, clone)
    const refused = driver.cloneSnapshot({ ...deep, newVolumeId: randomUUID(), sizeBytes: SIZE })
    await expect(refused).rejects.toMatchObject({ kind: 'unsupported' })
    await write(driver, clone, LATE)
    await driver.revertVolume({ ...deep, sizeBytes: SIZE })
    await expectVolume(driver, clone, bytesOf(SIZE, EARLY))
  }, 120_000)

  test('a clone and a volume that were begun and not finished are made again', async () => {
    const { driver, spec } = await openHere()
    const { ref } = await volumeWithSnapshot(driver)
    const newVolumeId = randomUUID()
    await asCephAdmin('rbd', 'create', '--size', '4M', `${spec}/volume-${newVolumeId}`)
    await driver.cloneSnapshot({ ...ref, newVolumeId, sizeBytes: SIZE })
    await expectVolume(driver, newVolumeId, bytesOf(SIZE, EARLY))
  }, 120_000)

  test('while no monitor answers nothing is said to be missing, made or deleted', async () => {
    const { config } = await openHere()
    const confFile = join(await tempDir(), 'ceph.conf')
    const conf = await readFile(config.confFile, 'utf8')
    await writeFile(confFile, conf.replace(/mon host = .*/, 'mon host = v2:127.0.0.1:1'))
    const ownConfFile = join(await tempDir(), 'own.conf')
    const driver = await openVolumeDriver({ ...config, confFile, ownConfFile })
    const volumeId = randomUUID()
    const calls = await Promise.allSettled([
      driver.createVolume({ volumeId, sizeBytes: SIZE }),
      driver.deleteVolume({ volumeId }),
      driver.openVolume({ volumeId, access: 'read' }),
      driver.deleteSnapshot({ volumeId, snapshotId: volumeId }),
    ])
    for (const call of calls)
      expect(call).toMatchObject({ status: 'rejected', reason: { kind: 'transient' } })
  }, 90_000)

  test('a pool or a user that does not exist is worth another try, since nothing is known about volumes', async () => {
    const { config } = await openHere()
    for (const wrong of [{ pool: 'nowhere' }, { namespace: 'nowhere' }, { user: 'nobody' }]) {
      const ownConfFile = join(await tempDir(), 'own.conf')
      const driver = await openVolumeDriver({ ...config, ...wrong, ownConfFile })
      await expect(driver.deleteVolume({ volumeId: randomUUID() })).rejects.toMatchObject({
        kind: 'transient',
      })
    }
  }, 120_000)
})

async function openHere(
  more: Partial<RbdConfig> = {},
): Promise<{ driver: VolumeDriver; config: RbdConfig; spec: string }> {
  const config = { ...(await newRbdConfig()), ...more }
  return { driver: await openVolumeDriver(config), config, spec: `volumes/${config.namespace}` }
}

function servedBy({ served }: OpenDevice) {
  if (served === undefined) throw new Error('Expected a server')
  return served
}

/** The process that serves the device. */
async function serverOf(device: OpenDevice): Promise<number> {
  const { socketPath } = servedBy(device)
  for (const name of await readdir('/proc')) {
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (command.startsWith('qemu-storage-daemon') && command.includes(socketPath)) return Number(name)
  }
  throw new Error('Expected a process that serves the device')
}
