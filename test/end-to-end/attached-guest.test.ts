import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Blockdev } from '../../block-io/device.ts'
import { runProcess } from '../../block-io/process.ts'
import { expectClean } from '../checker/check.ts'
import { chainIn } from '../checker/layers.ts'
import { startQemuGuest } from '../support/qemu-guest.ts'
import { tempDir } from '../support/temp-dir.ts'
import { writesIn } from '../support/write-log.ts'
import { Installation, withGuestSockets } from './installation.ts'
import { ended, MiB } from './steps.ts'

test('a machine goes on writing its volume while that is snapshotted, extended and backed up', async () => {
  await using installation = await Installation.start(withGuestSockets())
  const { client, guestSockets: socketFolder } = installation
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ sizeBytes: 32 * MiB }))
  const { result } = await ended(installation, client.attachVolume(volumeId, { guest: 'machine' }))
  const blockdev = JSON.parse(String(result?.connection)) as Blockdev
  await using machine = await startQemuGuest({
    ...{ name: 'machine', socketFolder, folder: await tempDir(), blockdev },
  })
  const { seen } = machine
  await machine.until('it writes', () => seen.writes >= 50 && seen.sizeBytes === 32 * MiB)

  const first = await moment(async () => {
    const { resourceId } = await ended(installation, client.createSnapshot({ volumeId }))
    return installation.snapshotFolder(volumeId, resourceId)
  })
  await ended(installation, client.extendVolume(volumeId, { sizeBytes: 64 * MiB }))
  await machine.until('it sees the new size', () => seen.sizeBytes === 64 * MiB)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'in-use', sizeBytes: 64 * MiB })
  const second = await moment(async () => {
    const { resourceId } = await ended(installation, client.createBackup({ volumeId }))
    const restored = await ended(installation, client.createVolume({ backupId: resourceId }))
    return installation.volumeFolder(restored.resourceId)
  })
  expect(second).toBeGreaterThan(first)

  const { writes } = seen
  await machine.kill()
  await ended(installation, client.detachVolume(volumeId))
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', sizeBytes: 64 * MiB })
  // Each write was flushed before the machine said so.
  expect(await writesUnder(installation.volumeFolder(volumeId))).toBeGreaterThanOrEqual(writes)
  await expectClean(installation.checked())

  /** What `take` keeps is the volume as it was at a moment between its begin and its end. */
  async function moment(take: () => Promise<string>): Promise<number> {
    const before = seen.writes
    const directory = await take()
    const after = seen.writes + 10
    await machine.until('it goes on', () => seen.writes > after)
    const kept = await writesUnder(directory)
    expect(kept).toBeGreaterThanOrEqual(before)
    expect(kept).toBeLessThanOrEqual(after)
    return kept
  }
}, 240_000)

async function writesUnder(directory: string): Promise<number> {
  const { device } = await chainIn(directory)
  const copy = join(await tempDir(), 'copy.raw')
  await runProcess('qemu-img', ['convert', '-U', '-O', 'raw', device, copy])
  return writesIn(await readFile(copy))
}
