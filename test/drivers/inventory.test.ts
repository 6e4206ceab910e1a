/** What every inventory promises (drivers/inventory.ts), on the file backend and the file store. */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { beforeAll, describe, expect, test } from 'vitest'
import { MiB } from '../../domain/sizes.ts'
import { openImageStore } from '../../drivers/images/registry.ts'
import type { Inventory, StoredKey } from '../../drivers/inventory.ts'
import { openVolumeDriver } from '../../drivers/volumes/registry.ts'
import { asCephAdmin, HAS_CEPH, newRbdConfig, sharedCeph } from '../support/ceph-cluster.ts'
import { tempDir } from '../support/temp-dir.ts'

interface Sample {
  readonly inventory: Inventory
  /** What was set aside: `<kind>.<id>` and more. */
  readonly aside: () => Promise<readonly string[]>
  readonly kept: readonly (StoredKey & { sizeBytes: number })[]
  readonly temporary: string
  /** Of the resource that the temporary thing is about. */
  readonly owner: string
}

const SAMPLES: Record<string, () => Promise<Sample>> = {
  'a file backend': backend,
  'a file store': store,
  ...(HAS_CEPH ? { 'an RBD backend': rbdBackend } : {}),
}

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.each(Object.entries(SAMPLES))('the inventory of %s', (_name, makeSample) => {
  test('lists everything once, with its size, its age and whom it belongs to', async () => {
    const { inventory, kept, temporary, owner } = await makeSample()
    const listed = await Array.fromAsync(inventory.list())
    expect(listed).toHaveLength(kept.length + 1)
    for (const thing of kept) {
      const owners = [thing.id, ...(thing.volumeId === undefined ? [] : [thing.volumeId])]
      expect(listed).toContainEqual({ ...thing, owners, changedAtMs: expect.any(Number) as number })
    }
    expect(listed).toContainEqual(
      expect.objectContaining({ kind: 'temporary', id: temporary, owners: [owner] }),
    )
    for (const { changedAtMs } of listed) expect(Math.abs(Date.now() - changedAtMs)).toBeLessThan(60_000)
  })

  test('finds what it lists, and nothing else', async () => {
    const { inventory, kept } = await makeSample()
    for (const { sizeBytes, ...key } of kept) {
      expect(await inventory.find(key)).toMatchObject({ ...key, sizeBytes })
      expect(await inventory.find({ ...key, id: randomUUID() })).toBeUndefined()
    }
    const key: StoredKey = { kind: kept[0]?.kind ?? 'volume', id: '../../etc/passwd' }
    await expect(inventory.find(key)).rejects.toMatchObject({ name: 'DriverError', kind: 'invalid' })
  })

  test('sets aside without deleting, and twice is fine', async () => {
    const { inventory, kept, aside: asideIn } = await makeSample()
    for (const key of [...kept, ...kept]) await inventory.setAside(key)
    for (const key of kept) expect(await inventory.find(key)).toBeUndefined()
    const aside = await asideIn()
    for (const { kind, id } of kept) {
      expect(aside.filter((name) => name.startsWith(`${kind}.`) && name.includes(id))).toHaveLength(1)
    }
  })

  test('removes what is temporary, and nothing outside its folder', async () => {
    const { inventory, kept, temporary } = await makeSample()
    for (const id of ['', '.', '..', '../keep', `${temporary}/..`]) {
      await expect(inventory.removeTemporary(id)).rejects.toMatchObject({ kind: 'invalid' })
    }
    for (const id of [temporary, temporary]) await inventory.removeTemporary(id)
    expect(await inventory.find({ kind: 'temporary', id: temporary })).toBeUndefined()
    for (const key of kept) expect(await inventory.find(key)).toMatchObject({ id: key.id })
  })
})

test('a volume whose base layer is missing is listed with what is wrong', async () => {
  const { inventory, path } = await fileBackend()
  const id = randomUUID()
  await mkdir(join(path, 'volumes', id))
  expect(await inventory.find({ kind: 'volume', id })).toMatchObject({
    problem: expect.stringMatching(/^Expected .* to hold 0\.raw/) as string,
  })
})

async function backend(): Promise<Sample> {
  return fileBackend()
}

async function fileBackend() {
  const path = await tempDir()
  const driver = await openVolumeDriver({ driver: 'file', path })
  const [volumeId, snapshotId, clone] = [randomUUID(), randomUUID(), randomUUID()]
  await driver.createVolume({ volumeId, sizeBytes: MiB })
  await driver.createSnapshot({ volumeId, snapshotId })
  await driver.cloneSnapshot({ volumeId, snapshotId, newVolumeId: clone, sizeBytes: 2 * MiB })
  const temporary = `${volumeId}~0123`
  await mkdir(join(path, 'scratch', temporary))
  const kept = [
    { kind: 'volume', id: volumeId, sizeBytes: MiB },
    { kind: 'snapshot', id: snapshotId, volumeId, sizeBytes: MiB },
    { kind: 'volume', id: clone, sizeBytes: 2 * MiB },
  ] as const
  return {
    path,
    aside: () => readdir(join(path, 'aside')),
    inventory: driver.inventory,
    kept,
    temporary,
    owner: volumeId,
  }
}

async function store(): Promise<Sample> {
  const path = await tempDir()
  const images = await openImageStore({ driver: 'file', path })
  const [image, stage, owner] = [randomUUID(), randomUUID(), randomUUID()]
  const progress = { sizeMaxBytes: MiB, signal: new AbortController().signal }
  for (const id of [image, stage])
    await images.writeStage(id, Readable.from([Buffer.from('bytes')]), progress)
  await images.publish(image)
  await writeFile(join(path, 'stages', `${owner}~0123`), 'half')
  const kept = [
    { kind: 'image', id: image, sizeBytes: 5 },
    { kind: 'stage', id: stage, sizeBytes: 5 },
  ] as const
  return {
    aside: () => readdir(join(path, 'aside')),
    inventory: images.inventory,
    kept,
    temporary: `${owner}~0123`,
    owner,
  }
}

async function rbdBackend(): Promise<Sample> {
  const config = await newRbdConfig()
  const driver = await openVolumeDriver(config)
  const [volumeId, snapshotId, clone] = [randomUUID(), randomUUID(), randomUUID()]
  await driver.createVolume({ volumeId, sizeBytes: MiB })
  await driver.createSnapshot({ volumeId, snapshotId })
  await driver.cloneSnapshot({ volumeId, snapshotId, newVolumeId: clone, sizeBytes: 2 * MiB })
  const temporary = `volume-${volumeId}.content-${randomUUID()}`
  const pool = `volumes/${config.namespace}`
  await asCephAdmin('rbd', 'create', '--size', '1M', `${pool}/${temporary}`)
  const kept = [
    { kind: 'volume', id: volumeId, sizeBytes: MiB },
    { kind: 'snapshot', id: snapshotId, volumeId, sizeBytes: MiB },
    { kind: 'volume', id: clone, sizeBytes: 2 * MiB },
  ] as const
  const aside = async () => {
    const rows = JSON.parse(await asCephAdmin('rbd', 'ls', '--long', '--format', 'json', pool)) as {
      image: string
      snapshot?: string
    }[]
    return rows.flatMap(({ image, snapshot }) => {
      if (snapshot !== undefined) return /^aside-(snapshot)-(.*)$/.exec(snapshot)?.slice(1, 3).join('.') ?? []
      return /^(volume)-(.*)\.aside-/.exec(image)?.slice(1, 3).join('.') ?? []
    })
  }
  return { aside, inventory: driver.inventory, kept, temporary, owner: volumeId }
}
