/** Copies that a cluster makes: stopped and killed in the middle. */
import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { MiB } from '../../../domain/sizes.ts'
import type { CloneSource } from '../../../drivers/images/driver.ts'
import type { ImageCopy, VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { asCephAdmin, HAS_CEPH, newRbdConfig, sharedCeph, TRIED_TWICE } from '../../support/ceph-cluster.ts'
import { killRbd } from '../../support/kill-rbd.ts'
import { expectVolume, newSnapshot, write } from './contract-steps.ts'
import { bytesOf } from './device-bytes.ts'

/** A hundred objects: some seconds for a cluster of one OSD. */
const LARGE = 400 * MiB
const FULL = { byte: 0xa5, offset: 0, length: LARGE }

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', TRIED_TWICE, () => {
  test('a copy has every byte and needs nothing else, and making it again is nothing to do', async () => {
    const { driver, source, spec } = await openHere()
    const newVolumeId = randomUUID()
    const sizeBytes = LARGE + 8 * MiB
    await driver.createVolume({ volumeId: newVolumeId, sizeBytes })
    expect(await copy(driver, { source, newVolumeId, sizeBytes })).toBe(true)
    const image = `${spec}/volume-${newVolumeId}`
    expect(await asCephAdmin('rbd', 'info', image)).not.toContain('parent:')
    const expectNoWriter = async () =>
      expect(await asCephAdmin('rbd', 'image-meta', 'ls', image)).not.toContain('volflow.writer')
    await expectNoWriter()
    await write(driver, newVolumeId, { byte: 1, offset: 0, length: MiB })
    expect(await copy(driver, { source, newVolumeId, sizeBytes })).toBe(true)
    await expectNoWriter()
    await expectVolume(driver, newVolumeId, bytesOf(sizeBytes, FULL, { byte: 1, offset: 0, length: MiB }))
  }, 300_000)

  test('stopped or killed in the middle it holds nobody up, and the next one starts over', async () => {
    const { driver, source, spec } = await openHere()
    const newVolumeId = randomUUID()
    const image = `${spec}/volume-${newVolumeId}`
    const request = { source, newVolumeId, sizeBytes: LARGE }
    const stop = new AbortController()
    const onProgress = (bytes: number) => bytes > LARGE / 5 && stop.abort(new Error('enough'))
    await expect(copy(driver, { ...request, signal: stop.signal, onProgress })).rejects.toThrow('enough')
    await driver.deleteVolume({ volumeId: newVolumeId })

    let kills = 0
    const killed = copy(driver, {
      ...request,
      onProgress: () => {
        kills += 1
        if (kills === 1) void killRbd('cp', image)
      },
    })
    await expect(killed).rejects.toMatchObject({ kind: 'transient' })
    expect(await copy(driver, request)).toBe(true)
    await expectVolume(driver, newVolumeId, bytesOf(LARGE, FULL))
  }, 300_000)

  test('an image of another cluster, and one that is not for us, are not copied', async () => {
    const { driver, source } = await openHere()
    const request = { newVolumeId: randomUUID(), sizeBytes: LARGE }
    expect(await copy(driver, { ...request, source: { ...source, clusterId: randomUUID() } })).toBe(false)
    expect(
      await copy(driver, {
        ...request,
        source: { ...source, pool: 'device_health_metrics', namespace: undefined },
      }),
    ).toBe(false)
    expect((await driver.list()).volumeIds).not.toContain(request.newVolumeId)
  }, 300_000)
})

/** A driver, and in its place what is to be copied. */
async function openHere(): Promise<{ driver: VolumeDriver; source: CloneSource; spec: string }> {
  const config = await newRbdConfig()
  const { pool, namespace } = config
  const driver = await openVolumeDriver(config)
  const volumeId = randomUUID()
  await driver.createVolume({ volumeId, sizeBytes: LARGE })
  await write(driver, volumeId, FULL)
  const { snapshotId } = await newSnapshot(driver, volumeId)
  const clusterId = (await asCephAdmin('ceph', 'fsid')).trim()
  const names = { image: `volume-${volumeId}`, snapshot: `snapshot-${snapshotId}` }
  const source = { clusterId, pool, namespace, ...names, sizeBytes: LARGE }
  return { driver, source, spec: `${pool}/${namespace}` }
}

/** Expects its progress never to go back. */
async function copy(
  driver: VolumeDriver,
  { onProgress, ...request }: Omit<ImageCopy, 'signal' | 'onProgress'> & Partial<ImageCopy>,
): Promise<boolean | undefined> {
  const seen: number[] = []
  const told = (bytes: number) => {
    seen.push(bytes)
    onProgress?.(bytes)
  }
  try {
    return await driver.copyImage?.({ signal: new AbortController().signal, ...request, onProgress: told })
  } finally {
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  }
}
