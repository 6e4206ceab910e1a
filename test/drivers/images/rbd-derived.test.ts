/** What is derived from an image, on a real cluster. */
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { beforeAll, describe, expect, test } from 'vitest'
import { directSpec } from '../../../block-io/direct.ts'
import { openWriter } from '../../../block-io/writer.ts'
import { MiB } from '../../../domain/sizes.ts'
import type { DerivedImages, Draft, ImageStore } from '../../../drivers/images/driver.ts'
import { openImageStore } from '../../../drivers/images/registry.ts'
import { asCephAdmin, HAS_CEPH, newRbdConfig, sharedCeph, TRIED_TWICE } from '../../support/ceph-cluster.ts'
import { pseudoRandom } from '../../support/small-images.ts'

const SIZE = 8 * MiB
const BYTES = pseudoRandom(MiB, 1)

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('what is derived from an image', TRIED_TWICE, () => {
  test('the first draft that is published is what is cloned, and the others are gone', async () => {
    const { store, derived, spec, imageId } = await imageHere()
    expect(await derived.cloneSource(imageId)).toBeUndefined()
    const [first, second] = [await draftOf(derived, imageId), await draftOf(derived, imageId)]
    await derived.publish(first)
    await derived.publish(second)
    // After a crash.
    for (const draft of [first, second]) await derived.publish(draft)
    expect(await derived.cloneSource(imageId)).toMatchObject({ image: `${imageId}.raw`, sizeBytes: SIZE })
    expect(await names(spec)).toEqual([imageId, `${imageId}.raw`])
    expect((await store.list()).imageIds).toEqual([imageId])
    expect(await inventoryOf(store)).toEqual([{ kind: 'image', id: imageId, owners: [imageId] }])
    await store.deleteImage(imageId)
    expect(await names(spec)).toEqual([])
  }, 180_000)

  test('a draft is opened again as it was left, belongs to its volume, and can be discarded at any time', async () => {
    const { store, derived, spec, imageId } = await imageHere()
    const draft = await draftOf(derived, imageId)
    const name = `${imageId}.raw-${draft.draftId}`
    const device = await derived.openDraft({ ...draft, sizeBytes: SIZE })
    await device.close()
    expect(await asCephAdmin('rbd', 'du', '--format', 'json', `${spec}/${name}`)).toContain(String(4 * MiB))
    expect(await inventoryOf(store)).toContainEqual({ kind: 'temporary', id: name, owners: [draft.draftId] })
    await store.inventory.removeTemporary(name)
    await derived.discard(draft)
    expect(await names(spec)).toEqual([imageId])
    await expect(derived.publish(draft)).rejects.toMatchObject({ kind: 'notFound' })
  }, 180_000)

  test('clones keep what they need of it, and without its image it is something left over', async () => {
    const { store, derived, spec, imageId } = await imageHere()
    await derived.publish(await draftOf(derived, imageId))
    const clone = `${spec}/clone`
    await asCephAdmin('rbd', 'clone', '--rbd-default-clone-format', '2', `${spec}/${imageId}.raw@snap`, clone)
    await store.inventory.setAside({ kind: 'image', id: imageId })
    expect(await inventoryOf(store)).toEqual([{ kind: 'temporary', id: `${imageId}.raw`, owners: [imageId] }])
    await store.inventory.removeTemporary(`${imageId}.raw`)
    expect((await names(spec)).filter((name) => !name.includes('.aside-'))).toEqual(['clone'])
    expect(await asCephAdmin('rbd', 'info', clone)).toContain('parent:')
    await asCephAdmin('rbd', 'rm', '--no-progress', clone)
    await store.sweep?.()
    expect(JSON.parse(await asCephAdmin('rbd', 'trash', 'ls', '--format', 'json', spec))).toEqual([])
  }, 180_000)
})

/** With an image of a byte: what is derived from it is not looked at. */
async function imageHere() {
  const config = await newRbdConfig('images')
  const store = await openImageStore(config)
  const { derived } = store
  if (derived === undefined) throw new Error('Expected a store that keeps what is derived')
  const imageId = randomUUID()
  const signal = AbortSignal.timeout(60_000)
  await store.writeStage(imageId, Readable.from([Buffer.from('x')]), { sizeMaxBytes: SIZE, signal })
  await store.publish(imageId)
  return { store, derived, spec: `images/${config.namespace}`, imageId }
}

/** With some bytes. */
async function draftOf(derived: DerivedImages, imageId: string): Promise<Draft> {
  const draft = { imageId, draftId: randomUUID() }
  const device = await derived.openDraft({ ...draft, sizeBytes: SIZE })
  const spec = directSpec(device)
  if (spec === undefined) throw new Error('Expected a device that can be written')
  const writer = await openWriter(spec)
  await writer.write(BYTES, 0)
  await writer.flush()
  await writer.close()
  await device.close()
  return draft
}

async function names(spec: string): Promise<string[]> {
  return (JSON.parse(await asCephAdmin('rbd', 'ls', '--format', 'json', spec)) as string[]).toSorted()
}

async function inventoryOf(store: ImageStore) {
  const things = await Array.fromAsync(store.inventory.list())
  return things.map(({ kind, id, owners }) => ({ kind, id, owners }))
}
