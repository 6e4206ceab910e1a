/** What every volume driver promises of volumes that come from somebody else, or go to them. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { VolumeDriver } from '../../../drivers/volumes/driver.ts'
import { EARLY, expectVolume, newSnapshot, newVolume, SIZE, write } from './contract-steps.ts'
import { bytesOf } from './device-bytes.ts'

export function managingTests(driver: () => VolumeDriver): void {
  test('what was given up becomes another volume with the same bytes, and both may be repeated', async () => {
    const given = await newVolume(driver())
    await write(driver(), given, EARLY)
    const { sourceName } = await driver().unmanageVolume({ volumeId: given })
    expect(await driver().unmanageVolume({ volumeId: given })).toEqual({ sourceName })
    expect(await driver().list()).toEqual({ volumeIds: [], snapshots: [] })
    const volumeId = randomUUID()
    for (let time = 0; time < 2; time++)
      expect(await driver().manageVolume({ volumeId, sourceName })).toEqual({ sizeBytes: SIZE })
    expect((await driver().list()).volumeIds).toEqual([volumeId])
    await expectVolume(driver(), volumeId, bytesOf(SIZE, EARLY))
    await driver().extendVolume({ volumeId, sizeBytes: 2 * SIZE })
    const snapshot = await newSnapshot(driver(), volumeId)
    await driver().deleteSnapshot(snapshot)
    await driver().deleteVolume({ volumeId })
    expect(await driver().list()).toEqual({ volumeIds: [], snapshots: [] })
    await expect(driver().manageVolume({ volumeId: randomUUID(), sourceName })).rejects.toMatchObject({
      kind: 'notFound',
    })
  })

  test.each(['', '.', '..', '.hidden', 'a/b', '../volumes', 'a@b', 'a\0b', '/etc/passwd'])(
    'is never made of %j',
    async (sourceName) => {
      const managing = driver().manageVolume({ volumeId: randomUUID(), sourceName })
      await expect(managing).rejects.toMatchObject({
        name: 'DriverError',
        kind: expect.stringMatching(/^(?:invalid|notFound)$/) as string,
      })
      expect(await driver().list()).toEqual({ volumeIds: [], snapshots: [] })
    },
  )
}
