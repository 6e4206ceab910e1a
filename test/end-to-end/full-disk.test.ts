import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, openAsBlob } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ApiError } from '../../sdk/errors.ts'
import { expectClean } from '../checker/check.ts'
import { makeQcow2Image, makeRawImage } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, expectNotFound, MiB, uploadImage } from './steps.ts'

const SMALL = { sizeBytes: 96 * MiB, data: [{ offset: 0, length: 12 * MiB, seed: 1 }] }
const LARGE = { sizeBytes: 96 * MiB, data: [{ offset: MiB, length: 80 * MiB, seed: 2 }] }

/** A file system of 48 MiB at the place's folder, before anything is in it. */
function mountSmall(folder: string): () => void {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', folder])
  return () => void execFileSync('umount', ['--lazy', folder])
}

const canMount =
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

test.skipIf(!canMount)(
  'a full backend: the operation fails with its reason, and nothing is left over',
  async () => {
    await using installation = await startOn('volumes')
    const { client, folder } = installation
    await makeQcow2Image(join(folder, 'image.qcow2'), LARGE)
    const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
    const operation = await ended(installation, client.createVolume({ imageId }), 'failed')
    expect(operation.error).toMatchObject({ code: 'full' })
    expect(await client.showVolume(operation.resourceId)).toMatchObject({ status: 'error' })
    await expectClean(installation.checked())
    await ended(installation, client.deleteVolume(operation.resourceId))
    await expectNotFound(client.showVolume(operation.resourceId))
  },
  180_000,
)

test.skipIf(!canMount)(
  'a full store: the upload is refused with the reason, and nothing is left over',
  async () => {
    await using installation = await startOn('images')
    const { client, folder } = installation
    await makeRawImage(join(folder, 'image.raw'), LARGE)
    const image = await client.createImage({ diskFormat: 'raw' })
    const error: unknown = await client
      .uploadImage(image.id, await openAsBlob(join(folder, 'image.raw')))
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status: 507, code: 'storeFull' })
    expect(await client.showImage(image.id)).toMatchObject({ status: 'queued' })
    await expectClean(installation.checked())
  },
  180_000,
)

test.skipIf(!canMount)(
  'a full target: the backup fails with its reason, its source is as before',
  async () => {
    await using installation = await startOn('backups')
    const { client, folder } = installation
    await makeQcow2Image(join(folder, 'large.qcow2'), LARGE)
    await makeQcow2Image(join(folder, 'small.qcow2'), SMALL)
    const [large, small] = await Promise.all(
      ['large.qcow2', 'small.qcow2'].map(async (name) => {
        const imageId = await uploadImage(installation, join(folder, name), 'qcow2')
        return (await ended(installation, client.createVolume({ imageId }))).resourceId
      }),
    )
    if (large === undefined || small === undefined) throw new Error('Expected two volumes')
    const failed = await ended(installation, client.createBackup({ volumeId: large }), 'failed')
    expect(failed.error).toMatchObject({ code: 'full' })
    expect(await client.showVolume(large)).toMatchObject({ status: 'available' })
    expect(await client.showBackup(failed.resourceId)).toMatchObject({
      status: 'error',
      failReason: failed.error?.message,
    })
    await expectClean(installation.checked())
    await ended(installation, client.deleteBackup(failed.resourceId))
    await ended(installation, client.collectTarget('local'))
    await expectClean(installation.checked({ collected: true }))
    // What the failed one had stored is free again.
    await ended(installation, client.createBackup({ volumeId: small }))
    await expectClean(installation.checked({ collected: true }))
  },
  180_000,
)

async function startOn(place: string): Promise<Installation> {
  return Installation.start({ prepare: (dataFolder) => mountSmall(join(dataFolder, place)) })
}
