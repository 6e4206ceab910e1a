/** A qcow2 image in a pool is converted once, whatever happens meanwhile. */
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { rbdSha256 } from '../checker/rbd-backend.ts'
import { HAS_CEPH, newRbdPlace, sharedCeph } from '../support/ceph-cluster.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, killWorkerOf, MiB, until, uploadImage } from './steps.ts'

const CONTENT = { sizeBytes: 96 * MiB, data: [{ offset: 8 * MiB, length: 40 * MiB, seed: 1 }] }

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', () => {
  test('cancelled, killed, and by two at once', async () => {
    const [rbd, rbdStore] = [await newRbdPlace(), await newRbdPlace('images')]
    await using installation = await Installation.start({ rbd, rbdStore })
    const { client, folder } = installation
    const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
    const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
    const start = async () => (await client.createVolume({ imageId, backend: 'rbd' })).operation
    const moving = async (id: string) => (await client.showOperation(id)).movedBytes > 8 * MiB

    await client.changeBackend('rbd', { rateLimitBytes: 8 * MiB })
    const cancelled = await start()
    await until('some of it is moved', () => moving(cancelled.id))
    await client.cancelOperation(cancelled.id)
    await ended(installation, cancelled, 'cancelled')
    await expectClean(installation.checked())

    const [killed, other] = [await start(), await start()]
    await until('both convert', async () => (await moving(killed.id)) && (await moving(other.id)))
    await killWorkerOf(installation, killed)
    await client.changeBackend('rbd', { rateLimitBytes: null })
    for (const operation of [killed, other]) {
      const { result, resourceId } = await ended(installation, operation)
      expect(result).toMatchObject({ path: 'rbd-clone' })
      expect(await rbdSha256(rbd, `volume-${resourceId}`)).toBe(sha256)
    }
    expect(await rbdSha256(rbdStore, `${imageId}.raw@snap`)).toBe(sha256)
    await expectClean(installation.checked())
  }, 480_000)
})
