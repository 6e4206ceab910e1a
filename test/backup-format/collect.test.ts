import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import type { CollectAccounts } from '../../backup-format/accounts.ts'
import type { CollectProgress } from '../../backup-format/collect-request.ts'
import { collect, planCollection } from '../../backup-format/collect.ts'
import { commitBackup } from '../../backup-format/commit.ts'
import { deleteBackup } from '../../backup-format/delete.ts'
import type { Repository } from '../../backup-format/repository.ts'
import { uploadBackup } from '../../backup-format/upload.ts'
import { DriverError } from '../../domain/errors.ts'
import { tempDir } from '../support/temp-dir.ts'
import { backUp, DOMAIN, keysOf, makeImage, memoryRepository, uploadRequest } from './fixtures.ts'
import { MemoryTarget } from './memory-target.ts'
import { reachableKeys } from './reachable.ts'

const limits = vi.hoisted(() => ({}) as Record<string, number>)
vi.mock('../../domain/limits.ts', async (original) => {
  const { LIMITS } = await original<{ LIMITS: object }>()
  return {
    LIMITS: new Proxy(LIMITS, { get: (real, name) => limits[String(name)] ?? Reflect.get(real, name) }),
  }
})

/** Two backups that share most chunks, one of them deleted, and one that nobody finished. */
async function withGarbage() {
  const made = await memoryRepository()
  const { repository } = made
  const image = await makeImage('rtr.')
  const kept = await backUp(repository, image)
  const deleted = await backUp(repository, await makeImage('rrrrr'))
  await deleteBackup(repository, { domain: DOMAIN, backupId: deleted.backupId })
  const open = uploadRequest(await makeImage('rrrr'))
  await uploadBackup(repository, open)
  return { ...made, kept, open }
}

afterEach(() => {
  for (const name of Object.keys(limits)) Reflect.deleteProperty(limits, name)
})

const giveUp = { abortable: () => true }

async function blobs(repository: Repository, target: MemoryTarget) {
  const needed = await reachableKeys(repository)
  const all = [...target.objects].filter(([key]) => /\/[cs]\//.test(key))
  const tally = (objects: [string, Buffer][]) => ({
    objects: objects.length,
    bytes: objects.reduce((sum, [, bytes]) => sum + bytes.length, 0),
  })
  return { found: tally(all), unneeded: tally(all.filter(([key]) => !needed.has(key))) }
}

it('a plan says to the object and to the byte what a collection then deletes, and writes nothing', async () => {
  const { repository, target } = await withGarbage()
  const counted = await blobs(repository, target)
  const before = new Map(target.objects)
  expect(await planCollection(repository, giveUp)).toEqual({ ...counted, exceedsBudget: false })
  expect(target.objects).toEqual(before)
  const { accounts } = await collect(repository, giveUp)
  expect(accounts).toEqual({
    condemned: counted.unneeded,
    rescued: { objects: 0, bytes: 0 },
    locked: { objects: 0, bytes: 0 },
    deleted: counted.unneeded,
  })
  expect(await blobs(repository, target)).toEqual({
    found: {
      objects: counted.found.objects - counted.unneeded.objects,
      bytes: counted.found.bytes - counted.unneeded.bytes,
    },
    unneeded: { objects: 0, bytes: 0 },
  })
})

it('too large a share of everything is deleted with force only', async () => {
  const { repository, target } = await withGarbage()
  Object.assign(limits, { collectObjectsFree: 5 })
  const before = new Map(target.objects)
  expect((await planCollection(repository, giveUp)).exceedsBudget).toBe(true)
  await expect(collect(repository, { abortable: () => false })).rejects.toMatchObject({
    kind: 'invalid',
    message: expect.stringContaining('--force'),
  })
  const data = (objects: Map<string, Buffer>) => [...objects].filter(([key]) => key !== 'state')
  expect(data(target.objects)).toEqual(data(before))
  const { accounts } = await collect(repository, { ...giveUp, force: true })
  expect(accounts.deleted.objects).toBeGreaterThan(5)
})

it('what an upload has committed while the collection waited for it is rescued, and the accounts say so', async () => {
  const { repository, target } = await memoryRepository()
  const open = uploadRequest(await makeImage('rrrr'))
  await uploadBackup(repository, open)
  // As if the collector had looked before the upload wrote down what it has stored.
  for (const key of keysOf(target, '/j/')) target.objects.delete(key)
  const { unneeded } = await planCollection(repository)
  const waiting = await collect(repository, { job: 'job' })
  expect(waiting).toMatchObject({ outcome: 'waiting', waitingFor: [{ backupId: open.backupId }] })
  await commitBackup(repository, open)
  const { accounts } = await collect(repository, { job: 'job' })
  expect(accounts).toMatchObject({ condemned: unneeded, rescued: unneeded, deleted: { objects: 0 } })
  expect(unneeded.objects).toBe(5)
  expect((await blobs(repository, target)).found).toEqual(unneeded)
})

it.each([{ objectsMax: 1_000_000 }, { objectsMax: 4 }])(
  'a collection that is killed at any request goes on, and its accounts stay whole (rounds of $objectsMax)',
  async ({ objectsMax }) => {
    Object.assign(limits, { condemnedObjectsMax: objectsMax, condemnedListItems: 4, deletionBatch: 3 })
    const { target, repository } = await withGarbage()
    const initial = new Map(target.objects)
    const undisturbed = await collectKilledAt(repository, initial, Infinity)
    expect(undisturbed.accounts.deleted.objects).toBeGreaterThan(8)
    for (let request = 1; request < undisturbed.requests; request += 1) {
      const killed = await collectKilledAt(repository, initial, request)
      // What an earlier life has deleted or aborted changes nothing in the sum.
      expect(killed.accounts, `killed at request ${request}`).toEqual(undisturbed.accounts)
      expect(killed.left).toEqual(undisturbed.left)
    }
  },
  120_000,
)

/** Dies at this request, and is started again. */
async function collectKilledAt(
  repository: Repository,
  initial: ReadonlyMap<string, Buffer>,
  request: number,
) {
  const objects = new Map(initial)
  let requests = 0
  const mortal = new MemoryTarget(objects, async () => {
    requests += 1
    if (requests === request) throw new Error('killed')
  })
  const run = (target: MemoryTarget) => collect({ ...repository, target }, { ...giveUp, job: 'job' })
  const first = await run(mortal).catch(() => undefined)
  const { accounts } = first ?? (await run(new MemoryTarget(objects)))
  const left = [...objects.keys()].filter((key) => key !== 'state').toSorted()
  return { accounts, left, requests }
}

it('a finished collection that is repeated under its name tells what it did', async () => {
  const { repository } = await withGarbage()
  const { accounts } = await collect(repository, { ...giveUp, job: 'job' })
  expect((await collect(repository, { ...giveUp, job: 'job' })).accounts).toEqual(accounts)
  expect((await collect(repository, { ...giveUp, job: 'other' })).accounts.deleted.objects).toBe(0)
})

it('what the target keeps locked is reported, and deleted by a later collection', async () => {
  const { repository, target } = await withGarbage()
  const isLocked = (key: string) => key.includes('/c/')
  target.deleteMany = async (keys) => {
    for (const key of keys) if (!isLocked(key)) target.objects.delete(key)
    return { locked: keys.filter(isLocked) }
  }
  const { unneeded } = await blobs(repository, target)
  const { accounts } = await collect(repository, giveUp)
  expect(accounts.locked.objects + accounts.deleted.objects).toBe(unneeded.objects)
  expect((await blobs(repository, target)).unneeded).toEqual(accounts.locked)
  Reflect.deleteProperty(target, 'deleteMany')
  expect((await collect(repository, giveUp)).accounts.deleted).toEqual(accounts.locked)
  expect((await blobs(repository, target)).unneeded.objects).toBe(0)
})

it('it stops at once when it is told to, and shows how far it is', async () => {
  const { repository, target } = await withGarbage()
  Object.assign(limits, { deletionBatch: 2, deletionBatchesInFlight: 1 })
  const stop = new AbortController()
  const phases = new Set<CollectProgress['phase']>()
  const onProgress = ({ phase }: CollectProgress) => {
    phases.add(phase)
    if (phase === 'deleting') stop.abort(new Error('enough'))
  }
  await expect(collect(repository, { ...giveUp, onProgress, signal: stop.signal })).rejects.toThrow('enough')
  expect([...phases]).toEqual(['marking', 'listing', 'marking again', 'deleting'])
  const { unneeded } = await blobs(repository, target)
  expect(unneeded.objects).toBeGreaterThan(0)
  await collect(repository, giveUp)
  expect((await blobs(repository, target)).unneeded.objects).toBe(0)
})

it('marks that do not fit into memory go to files, with the same result', async () => {
  const spillFolder = join(await tempDir(), 'spill')
  const results: CollectAccounts[] = []
  const { target, repository: made } = await withGarbage()
  for (const markBufferBytes of [1_000_000, 64]) {
    Object.assign(limits, { markBufferBytes, markRecentItems: 2 })
    const copy = new MemoryTarget(new Map(target.objects))
    const repository = { ...made, target: copy }
    const before = await planCollection(repository, giveUp)
    const onProgress = ({ phase }: CollectProgress) => {
      if (phase === 'listing' && existsSync(spillFolder)) spilled.push(...readdirSync(spillFolder))
    }
    const spilled: string[] = []
    const { accounts } = await collect(repository, { ...giveUp, spillFolder, onProgress })
    expect(spilled.length > 0).toBe(markBufferBytes === 64)
    expect(accounts.deleted).toEqual(before.unneeded)
    expect((await blobs(repository, copy)).unneeded.objects).toBe(0)
    results.push(accounts)
  }
  expect(results[0]).toEqual(results[1])
  expect(readdirSync(spillFolder)).toEqual([])
})

it('a transient failure of the target is not taken for an empty answer', async () => {
  const { repository, target } = await withGarbage()
  target.list = async function* () {
    yield* []
    throw new DriverError('transient', 'Expected an answer')
  }
  const before = new Map(target.objects)
  await expect(planCollection(repository, giveUp)).rejects.toMatchObject({ kind: 'transient' })
  expect(target.objects).toEqual(before)
})
