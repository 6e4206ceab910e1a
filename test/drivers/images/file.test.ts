import { randomUUID } from 'node:crypto'
import { readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { GiB, MiB } from '../../../domain/sizes.ts'
import { openImageStore } from '../../../drivers/images/registry.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { mountTmpfs } from '../volumes/mounts.ts'
import { describeImageStore } from './contract.ts'

describeImageStore('the file store', async () => openImageStore({ driver: 'file', path: await tempDir() }))

test('what a killed upload left is listed, and goes with the next upload or discard', async () => {
  const path = await tempDir()
  const store = await openImageStore({ driver: 'file', path })
  const [again, discarded] = [randomUUID(), randomUUID()]
  for (const imageId of [again, discarded]) await writeFile(join(path, 'stages', `${imageId}~0123`), 'half')
  expect((await store.list()).stageIds.toSorted()).toEqual([again, discarded].toSorted())
  await expect(store.publish(again)).rejects.toMatchObject({ kind: 'notFound' })
  await store.writeStage(again, Readable.from([Buffer.from('whole')]), progress())
  await store.discardStage(discarded)
  expect(await readdir(join(path, 'stages'))).toEqual([again])
})

test('while its directory is not there nothing is said to be missing or deleted', async () => {
  const path = await tempDir()
  const store = await openImageStore({ driver: 'file', path })
  const imageId = randomUUID()
  await rename(path, `${path}.away`)
  const calls = [
    () => store.publish(imageId),
    () => store.deleteImage(imageId),
    () => store.discardStage(imageId),
    () => store.openImage(imageId, 'raw'),
    () => store.writeStage(imageId, Readable.from([Buffer.from('x')]), progress()),
  ]
  for (const call of calls) await expect(call()).rejects.toMatchObject({ kind: 'transient' })
  await rename(`${path}.away`, path)
  await expect(store.publish(imageId)).rejects.toMatchObject({ kind: 'notFound' })
})

const small = await mountTmpfs(4)

test.runIf(small !== undefined)(
  'a full disk is reported while the source is still sending, and nothing is left',
  async () => {
    const path = small ?? ''
    const store = await openImageStore({ driver: 'file', path })
    const source = new PassThrough({ highWaterMark: 16 * MiB })
    source.write(Buffer.alloc(8 * MiB, 1))
    await expect(store.writeStage(randomUUID(), source, progress())).rejects.toMatchObject({
      name: 'DriverError',
      kind: 'full',
      message: expect.stringMatching(/no space left on device/),
    })
    expect(await readdir(join(path, 'stages'))).toEqual([])
  },
)

function progress() {
  return { sizeMaxBytes: GiB, signal: new AbortController().signal }
}
