/**
 * Three times kill -9 at random moments of each kind of copy, 4 GiB each. What is redone after a kill is counted outside the product:
 * by a proxy in front of S3, and by the kernel's account of bytes written (see subreaper.ts). Every byte that was written and is
 * not a new byte of the result was redone, or done in vain.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { openObjects } from '../checker/repository/objects.ts'
import { restoreSha256 } from '../checker/repository/restore.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, until, uploadImage, writtenBytes } from './steps.ts'
import { bytesWrittenBelow } from './subreaper.ts'

const GiB = 1024 * MiB
const DATA_BYTES = Number(process.env.VOLFLOW_LONG_GIB ?? 4) * GiB
const PIECE_BYTES = 64 * MiB
const KILLS = 3
const REDONE_MAX_BYTES = 256 * MiB
/** Every ninth piece is a hole. */
const CONTENT = {
  sizeBytes: DATA_BYTES + (DATA_BYTES / PIECE_BYTES / 8) * PIECE_BYTES,
  data: Array.from({ length: DATA_BYTES / PIECE_BYTES }, (_, piece) => ({
    ...{ offset: (piece + Math.floor(piece / 8)) * PIECE_BYTES, length: PIECE_BYTES, seed: piece },
  })),
}

interface Meter {
  /** New bytes of the result so far. */
  readonly arrived: () => Promise<number>
  /** All bytes written on the way so far. */
  readonly moved: () => Promise<number>
}

test('killed three times between 30 and 70 %, each kind of copy ends right and redoes at most 256 MiB per kill', async () => {
  await using installation = await Installation.start({ s3: true, subreaper: true })
  const { client, folder, proxy } = installation
  const { backupKeyFile, targets } = installation.checked()
  const { s3 } = targets
  if (s3 === undefined) throw new Error('Expected a target on S3')
  const toFile = ({ resourceId }: Operation): Meter => ({
    arrived: () => writtenBytes(installation, resourceId),
    moved: () => bytesWrittenBelow(installation.upPid),
  })
  const objects = openObjects(s3)
  const toS3: Meter = {
    arrived: async () => [...(await objects.list()).values()].reduce((sum, size) => sum + size, 0),
    moved: async () => proxy.upBytes,
  }
  const figures: Record<string, number[]> = {}
  const killThrice = async (name: string, operation: Operation, meter: Meter) => {
    figures[name] = await redoneBytes(installation, operation, meter)
    return operation.resourceId
  }

  const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  const image = (await client.createVolume({ imageId })).operation
  const volumeId = await killThrice('image to volume', image, toFile(image))
  expect(await sha256OfVolume(installation, volumeId)).toBe(sha256)

  const { resourceId: snapshotId } = await ended(installation, client.createSnapshot({ volumeId }))
  const flatten = (await client.createVolume({ snapshotId, flatten: true })).operation
  const flatId = await killThrice('flatten', flatten, toFile(flatten))
  expect(await sha256OfVolume(installation, flatId)).toBe(sha256)
  await ended(installation, client.deleteVolume(flatId))

  const backup = (await client.createBackup({ volumeId, snapshotId, target: 's3' })).operation
  const backupId = await killThrice('backup', backup, toS3)
  const place = { target: s3, backupKeyFile, domain: 'default', backupId }
  expect(await restoreSha256(place)).toBe(sha256)

  const restore = (await client.createVolume({ backupId })).operation
  const restoredId = await killThrice('restore', restore, toFile(restore))
  expect(await sha256OfVolume(installation, restoredId)).toBe(sha256)
  objects.close()

  for (const [name, redone] of Object.entries(figures)) {
    console.log(
      `${name}: redone per kill ${redone.map((bytes) => `${(bytes / MiB).toFixed(1)} MiB`).join(', ')}`,
    )
  }
  await expectClean(installation.checked())
  for (const redone of Object.values(figures).flat()) expect(redone).toBeLessThanOrEqual(REDONE_MAX_BYTES)
})

/** Kills the worker three times on the way to the operation's end. Answers what was redone after each. */
async function redoneBytes(
  installation: Installation,
  operation: Operation,
  meter: Meter,
): Promise<number[]> {
  const arrivedBefore = await meter.arrived()
  const inVain: number[] = []
  const measure = async () => inVain.push((await meter.moved()) - (await meter.arrived()))
  for (let kill = 0; kill < KILLS; kill++) {
    const fraction = 0.3 + (0.4 * (kill + Math.random())) / KILLS
    const isThere = async () => (await meter.arrived()) - arrivedBefore > fraction * DATA_BYTES
    await until(`${fraction} of ${operation.kind}`, isThere, 180_000)
    const pid = await installation.servicePid('data-worker')
    process.kill(pid, 'SIGKILL')
    // Its children go with it; the next worker waits for the lease before it writes.
    await sleep(500)
    await measure()
    await until('another worker', () =>
      installation.servicePid('data-worker').then(
        (next) => next !== pid,
        () => false,
      ),
    )
  }
  await ended(installation, operation)
  await measure()
  return inVain.slice(1).map((bytes, kill) => bytes - (inVain[kill] ?? 0))
}
