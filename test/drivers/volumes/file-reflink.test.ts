import { randomUUID } from 'node:crypto'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MiB } from '../../../domain/sizes.ts'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { describeVolumeDriver } from './contract.ts'
import { writePattern } from './device-bytes.ts'
import { mountXfs } from './mounts.ts'

const mounted = await mountXfs()

describe.runIf(mounted !== undefined)('on a file system with reflink', () => {
  const openHere = async () => {
    const path = join(mounted ?? '', randomUUID())
    await mkdir(path)
    return { path, driver: await openVolumeDriver({ driver: 'file', path }) }
  }

  describeVolumeDriver('the file driver', async () => (await openHere()).driver)

  test('every volume and snapshot is one raw file, however often it is snapshotted', async () => {
    const { path, driver } = await openHere()
    const volumeId = randomUUID()
    expect(driver.capabilities).toEqual({
      clone: true,
      reflink: true,
      changedRanges: true,
      onlineSnapshot: true,
      onlineExtend: false,
    })
    await driver.createVolume({ volumeId, sizeBytes: 2 * MiB })
    for (let round = 1; round <= 20; round++) {
      await writePattern(await driver.openVolume({ volumeId, access: 'write' }), {
        byte: round,
        offset: 0,
        length: MiB,
      })
      await driver.createSnapshot({ volumeId, snapshotId: randomUUID() })
    }
    for (const kind of ['volumes', 'snapshots']) {
      for (const name of await readdir(join(path, kind))) {
        expect(await readdir(join(path, kind, name))).toEqual(['0.raw'])
      }
    }
  })
})
