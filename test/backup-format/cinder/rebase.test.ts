import { hash } from 'node:crypto'
import { cp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { abortMerge, mergeForward } from '../../../backup-format/cinder/merge-forward.ts'
import { removeCinderBackup } from '../../../backup-format/cinder/remove.ts'
import type { CinderStore } from '../../../backup-format/cinder/store.ts'
import { verifyCinderBackup } from '../../../backup-format/cinder/verify.ts'
import type { BackupLocation } from '../../../domain/cinder-names.ts'
import { openCinderStore } from '../../../drivers/cinder/registry.ts'
import { type CinderService, startCinder } from '../../support/cinder/cinder-service.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { crashingStore } from './crashing-store.ts'
import { type Link, locate, makeVolume, restored, writeChain } from './fixtures.ts'
import { recordOf, restoredByCinder } from './through-cinder.ts'

const SIGNAL = new AbortController().signal
const NEVER = Number.MAX_SAFE_INTEGER

/** The folder that Cinder has, and what it wrote there first. */
const folder = await tempDir()
const original = await tempDir()
const store = openCinderStore({ driver: 'directory', path: folder })
let cinder: CinderService
let chain: Link[]

beforeAll(async () => {
  cinder = await startCinder({ driver: 'posix', path: folder })
  chain = await writeChain(cinder, await cinder.createVolume('root'), await makeVolume())
  await cp(folder, original, { recursive: true })
  return () => cinder.stop()
})

async function startAnew(): Promise<void> {
  // All but the store's own folder of temporary files.
  for (const name of await readdir(folder))
    if (!name.startsWith('.')) await rm(join(folder, name), { recursive: true })
  await cp(original, folder, { recursive: true })
}

/** Names and bytes of all that is there. */
async function contents(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const name of (await readdir(folder, { recursive: true })).toSorted()) {
    const path = join(folder, name)
    if ((await stat(path)).isFile()) found.set(name, hash('sha256', await readFile(path)))
  }
  return found
}

async function unlink(from: CinderStore, location: BackupLocation): Promise<void> {
  await mergeForward(from, { location, signal: SIGNAL })
  await removeCinderBackup(from, location)
}

/** By us, at each moment. Cinder itself refuses one to which objects are being added. */
async function expectRestorable(links: readonly Link[]): Promise<void> {
  for (const { backupId, content } of links)
    expect((await restored(store, backupId)).equals(content), backupId).toBe(true)
}

const LINKS = [
  ['the full one', 0],
  ['one in the middle', 1],
  ['the newest', 3],
] as const

describe.each(LINKS)('%s of a chain is deleted', (_, index) => {
  const remaining = () => chain.filter((_link, at) => at !== index)
  const gone = () => chain[index] ?? { backupId: '', content: Buffer.of() }
  let location: BackupLocation
  let after: Map<string, string>

  beforeAll(async () => {
    await startAnew()
    location = await locate(store, gone().backupId)
    await unlink(store, location)
    after = await contents()
  })

  it('and the others restore, here and with Cinder, with nothing left over', async () => {
    await expectRestorable(remaining())
    for (const { backupId, content } of remaining()) {
      await cinder.forget(backupId)
      await cinder.importRecord(await recordOf(store, backupId))
      expect((await restoredByCinder(cinder, backupId)).equals(content)).toBe(true)
      expect(await verified(backupId)).toMatchObject({ damagedChunks: 0, unknownObjects: 0 })
    }
    expect([...after.keys()].filter((name) => name.includes(gone().backupId))).toEqual([])
  })

  it('killed before any of its changes, every backup still restores, and run again it ends with the same objects', async () => {
    await startAnew()
    const counted = crashingStore(store, NEVER)
    await unlink(counted.store, location)
    expect(counted.changes()).toBeGreaterThan(3)
    for (let dieAt = 1; dieAt <= counted.changes(); dieAt += 1) {
      await startAnew()
      await expect(unlink(crashingStore(store, dieAt).store, location)).rejects.toThrow('killed')
      await expectRestorable(remaining())
      await unlink(store, location)
      expect(await contents(), `after change ${dieAt - 1}`).toEqual(after)
    }
  }, 120_000)

  it('killed before any change of the merging, and cancelled then, it leaves what Cinder restores', async () => {
    await startAnew()
    const before = await contents()
    const counted = crashingStore(store, NEVER)
    await mergeForward(counted.store, { location, signal: SIGNAL })
    const merged = await contents()
    for (let dieAt = 1; dieAt <= counted.changes(); dieAt += 1) {
      await startAnew()
      const crashing = crashingStore(store, dieAt).store
      await mergeForward(crashing, { location, signal: SIGNAL }).catch((error: unknown) => {
        expect(error).toMatchObject({ message: 'killed' })
      })
      await abortMerge(store, location)
      await abortMerge(store, location)
      await expectRestorable(chain)
      // A child was merged, or it was not: nothing in between.
      expect([before, merged]).toContainEqual(await contents())
    }
  }, 120_000)
})

it('a backup whose metadata are gone is not deleted while others need them', async () => {
  await startAnew()
  const location = await locate(store, chain[1]?.backupId ?? '')
  await store.delete(`${location.folder}${location.prefix}_metadata`)
  await expect(mergeForward(store, { location, signal: SIGNAL })).rejects.toMatchObject({ kind: 'notFound' })
})

async function verified(backupId: string) {
  return verifyCinderBackup(store, {
    ...{ location: await locate(store, backupId), level: 'content', samplePercent: 100, seed: '' },
    ...{ resumeFromBytes: 0, signal: SIGNAL, pace: async () => {}, onProgress: () => {} },
    onCheckpoint: async () => {},
  })
}
