import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { Blockdev } from '../../block-io/device.ts'
import { runProcess } from '../../block-io/process.ts'
import { expectClean } from '../checker/check.ts'
import { chainIn } from '../checker/layers.ts'
import { rbdBytes } from '../checker/rbd-backend.ts'
import { HAS_CEPH, newRbdPlace, sharedCeph } from '../support/ceph-cluster.ts'
import { startQemuGuest } from '../support/qemu-guest.ts'
import { tempDir } from '../support/temp-dir.ts'
import { writesIn } from '../support/write-log.ts'
import { Installation, type InstallationOptions, withGuestSockets } from './installation.ts'
import { ended, MiB } from './steps.ts'

const TIMEOUT_MS = 240_000

/** The bytes of a volume, or of one of its snapshots, past every API of ours. */
type BytesOf = (installation: Installation, volumeId: string, snapshotId?: string) => Promise<Buffer>

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

test(
  'a machine goes on writing its volume while that is snapshotted, extended and backed up',
  () => goOnWriting(withGuestSockets(), bytesInFiles),
  TIMEOUT_MS,
)

test.runIf(HAS_CEPH)(
  '... and so does one whose volume is in a pool of a cluster',
  async () => {
    const place = await newRbdPlace()
    await goOnWriting(withGuestSockets(place), async (_, volumeId, snapshotId) => {
      const snapshot = snapshotId === undefined ? '' : `@snapshot-${snapshotId}`
      return Buffer.concat(await Array.fromAsync(rbdBytes(place, `volume-${volumeId}${snapshot}`)))
    })
  },
  TIMEOUT_MS,
)

async function goOnWriting(options: InstallationOptions, bytesOf: BytesOf): Promise<void> {
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

async function bytesInFiles(
  installation: Installation,
  volumeId: string,
  snapshotId?: string,
): Promise<Buffer> {
  const directory =
    snapshotId === undefined
      ? installation.volumeFolder(volumeId)
      : installation.snapshotFolder(volumeId, snapshotId)
  const { device } = await chainIn(directory)
  const copy = join(await tempDir(), 'copy.raw')
  await runProcess('qemu-img', ['convert', '-U', '-O', 'raw', device, copy])
  return readFile(copy)
}
