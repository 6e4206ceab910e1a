/** Images and volumes in pools of one cluster. */
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { rbdSha256 } from '../checker/rbd-backend.ts'
import { HAS_CEPH, newRbdPlace, sharedCeph } from '../support/ceph-cluster.ts'
import { makeQcow2Image, makeRawImage } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, uploadImage } from './steps.ts'

const SIZE_BYTES = 64 * MiB
const CONTENT = { sizeBytes: SIZE_BYTES, data: [{ offset: 8 * MiB, length: 24 * MiB, seed: 1 }] }
const BACKEND = { backend: 'rbd' }

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('images in a pool', () => {
  test('a raw one is cloned, a qcow2 is converted once and cloned then, and deleted ones stay for their clones', async () => {
    const [rbd, rbdStore] = [await newRbdPlace(), await newRbdPlace('images')]
    await using installation = await Installation.start({ rbd, rbdStore })
    const { client, folder } = installation
    const hash = (volumeId: string) => rbdSha256(rbd, `volume-${volumeId}`)

    const rawPath = join(folder, 'image.raw')
    const sha256 = await makeRawImage(rawPath, CONTENT)
    const rawId = await uploadImage(installation, rawPath, 'raw')
    expect(await rbdSha256(rbdStore, `${rawId}@snap`)).toBe(sha256)
    const cloned = await ended(installation, client.createVolume({ imageId: rawId, ...BACKEND }))
    expect(cloned.result).toMatchObject({ path: 'rbd-clone', movedBytes: 0 })
    expect(await hash(cloned.resourceId)).toBe(sha256)
    const grown = { imageId: rawId, sizeBytes: 2 * SIZE_BYTES, ...BACKEND }
    const larger = await ended(installation, client.createVolume(grown))
    expect(larger.result).toMatchObject({ path: 'rbd-clone' })
    // A backend of files has no clones of it.
    const copied = await ended(installation, client.createVolume({ imageId: rawId, backend: 'files' }))
    expect(copied.result).toMatchObject({ path: 'copy' })

    const qcow2Path = join(folder, 'image.qcow2')
    const diskSha256 = await makeQcow2Image(qcow2Path, CONTENT)
    const qcow2Id = await uploadImage(installation, qcow2Path, 'qcow2')
    const converted = await ended(installation, client.createVolume({ imageId: qcow2Id, ...BACKEND }))
    expect(converted.result).toMatchObject({ path: 'rbd-clone', movedBytes: 24 * MiB })
    expect(await rbdSha256(rbdStore, `${qcow2Id}.raw@snap`)).toBe(diskSha256)
    const second = await ended(installation, client.createVolume({ imageId: qcow2Id, ...BACKEND }))
    expect(second.result).toMatchObject({ path: 'rbd-clone', movedBytes: 0 })
    for (const { resourceId } of [converted, second]) expect(await hash(resourceId)).toBe(diskSha256)
    const elsewhere = await ended(installation, client.createVolume({ imageId: qcow2Id, backend: 'files' }))
    expect(elsewhere.result).toMatchObject({ path: 'confined-convert' })

    const { resourceId: volumeId } = converted
    for (const diskFormat of ['raw', 'qcow2'] as const) {
      const made = await ended(installation, client.uploadVolume(volumeId, { diskFormat }))
      const again = await ended(installation, client.createVolume({ imageId: made.resourceId, ...BACKEND }))
      expect(await hash(again.resourceId)).toBe(diskSha256)
    }
    await expectClean(installation.checked())

    for (const id of [rawId, qcow2Id]) await ended(installation, client.deleteImage(id))
    expect(await hash(cloned.resourceId)).toBe(sha256)
    expect(await hash(second.resourceId)).toBe(diskSha256)
    await expectClean(installation.checked())
  }, 300_000)

  test('what is no image is refused, and a download has the bytes of the upload', async () => {
    const rbdStore = await newRbdPlace('images')
    await using installation = await Installation.start({ rbdStore })
    const { client, folder } = installation
    const path = join(folder, 'image')
    await writeFile(path, Buffer.alloc(MiB, 'x'))
    const bad = await client.createImage({ diskFormat: 'qcow2' })
    const bytes = createReadStream(path) as AsyncIterable<Uint8Array>
    const { operation } = await client.uploadImage(bad.id, bytes, { sizeBytes: MiB })
    const failed = await ended(installation, operation, 'failed')
    expect(failed.error?.message).toContain('Expected a qcow2 image')
    const id = await uploadImage(installation, path, 'raw')
    const response = await fetch(`${installation.baseUrl}/image/v2/images/${id}/file`)
    expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.alloc(MiB, 'x'))).toBe(true)
    await expectClean(installation.checked())
  }, 120_000)
})
