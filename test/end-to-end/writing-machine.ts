/** A real machine writes a volume without a pause, while that is snapshotted, extended and backed up. */
import { expect } from 'vitest'
import type { Blockdev } from '../../block-io/device.ts'
import { expectClean } from '../checker/check.ts'
import { startQemuGuest } from '../support/qemu-guest.ts'
import { tempDir } from '../support/temp-dir.ts'
import { writesIn } from '../support/write-log.ts'
import { Installation, type InstallationOptions } from './installation.ts'
import { ended, MiB } from './steps.ts'

/** The bytes of a volume, or of one of its snapshots, past every API of ours. */
type BytesOf = (installation: Installation, volumeId: string, snapshotId?: string) => Promise<Buffer>

export async function goOnWriting(options: InstallationOptions, bytesOf: BytesOf): Promise<void> {
  await using installation = await Installation.start(options)
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
    return bytesOf(installation, volumeId, resourceId)
  })
  await ended(installation, client.extendVolume(volumeId, { sizeBytes: 64 * MiB }))
  await machine.until('it sees the new size', () => seen.sizeBytes === 64 * MiB)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'in-use', sizeBytes: 64 * MiB })
  const second = await moment(async () => {
    const { resourceId } = await ended(installation, client.createBackup({ volumeId }))
    const restored = await ended(installation, client.createVolume({ backupId: resourceId }))
    return bytesOf(installation, restored.resourceId)
  })
  expect(second).toBeGreaterThan(first)

  const { writes } = seen
  await machine.kill()
  await ended(installation, client.detachVolume(volumeId))
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', sizeBytes: 64 * MiB })
  // Each write was flushed before the machine said so.
  expect(writesIn(await bytesOf(installation, volumeId))).toBeGreaterThanOrEqual(writes)
  await expectClean(installation.checked())

  /** What `take` keeps is the volume as it was at a moment between its begin and its end. */
  async function moment(take: () => Promise<Buffer>): Promise<number> {
    const before = seen.writes
    const bytes = await take()
    const after = seen.writes + 10
    await machine.until('it goes on', () => seen.writes > after)
    const kept = writesIn(bytes)
    expect(kept).toBeGreaterThanOrEqual(before)
    expect(kept).toBeLessThanOrEqual(after)
    return kept
  }
}
