import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { CreateVolumeInput, Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { rbdSha256 } from '../checker/rbd-backend.ts'
import { HAS_CEPH, newRbdPlace, sharedCeph } from '../support/ceph-cluster.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, killWorkerOf, MiB, until, uploadImage } from './steps.ts'

const SIZE_BYTES = 96 * MiB
const CONTENT = { sizeBytes: SIZE_BYTES, data: [{ offset: 8 * MiB, length: 40 * MiB, seed: 1 }] }
const BACKEND = { backend: 'rbd' }

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', () => {
  test('an image becomes a volume, and that its clones, which move no bytes', async () => {
    const place = await newRbdPlace()
    await using installation = await Installation.start({ rbd: place })
    const { client, folder } = installation
    const hash = (volumeId: string) => rbdSha256(place, `volume-${volumeId}`)
    const make = (input: CreateVolumeInput) =>
      ended(installation, client.createVolume({ ...input, ...BACKEND }))

    const imageSha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
    const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
    const { resourceId: volumeId } = await make({ imageId })
    expect(await hash(volumeId)).toBe(imageSha256)

    const { resourceId: snapshotId } = await ended(installation, client.createSnapshot({ volumeId }))
    const clone = await ended(installation, client.createVolume({ snapshotId }))
    expect(clone.result).toMatchObject({ path: 'rbd-clone', movedBytes: 0 })
    const flat = await ended(installation, client.createVolume({ snapshotId, flatten: true }))
    expect(flat.result).toMatchObject({ path: 'flatten-copy' })
    for (const { resourceId } of [clone, flat]) expect(await hash(resourceId)).toBe(imageSha256)
    await expectClean(await checked(installation))
  }, 300_000)

  test('killed in the middle of a copy it goes on, and cancelled there it leaves nothing behind', async () => {
    const place = await newRbdPlace()
    await using installation = await Installation.start({ rbd: place })
    const { client, folder } = installation
    const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
    const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
    await client.changeBackend('rbd', { rateLimitBytes: 8 * MiB })
    const begun = async (started: Promise<{ operation: Operation }>) => {
      const { operation } = await started
      await until('some of it is moved', async () => {
        return (await client.showOperation(operation.id)).movedBytes > 8 * MiB
      })
      return operation
    }
    const fromImage = () => begun(client.createVolume({ imageId, ...BACKEND }))

    const killed = await fromImage()
    await killWorkerOf(installation, killed)
    await client.changeBackend('rbd', { rateLimitBytes: null })
    expect(await ended(installation, killed)).toMatchObject({ attempt: 2 })
    expect(await rbdSha256(place, `volume-${killed.resourceId}`)).toBe(sha256)

    await client.changeBackend('rbd', { rateLimitBytes: 8 * MiB })
    const cancelled = await fromImage()
    await client.cancelOperation(cancelled.id)
    await ended(installation, cancelled, 'cancelled')
    await expectClean(await checked(installation))
  }, 180_000)
})

/** The key of the cluster's user must be nowhere but in its own file. */
async function checked(installation: Installation) {
  const { keyringFile } = await sharedCeph()
  const key = /key = (\S+)/.exec(await readFile(keyringFile, 'utf8'))?.[1] ?? ''
  return installation.checked({ secrets: { 'the key of the Ceph user': key } })
}
