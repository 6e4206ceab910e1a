import { randomBytes } from 'node:crypto'
import { listLocations } from '../../backup-format/cinder/backup.ts'
import { readObject } from '../../backup-format/cinder/read-object.ts'
import type { CinderStore } from '../../backup-format/cinder/store.ts'
import type { TargetConfig } from '../../config/config.ts'
import { LIMITS } from '../../domain/limits.ts'
import { openCinderStore } from '../../drivers/cinder/registry.ts'
import { openTargetSpec } from '../places.ts'
import { type CheckResult, probe } from './check.ts'
import { placeChecks, reachNext } from './targets.ts'

/** Of a target in Cinder's format: it answers, it has what backups are written with, and what is in it. */
export async function* cinderTargetChecks(name: string, place: TargetConfig): AsyncGenerator<CheckResult> {
  const where = `target ${name}`
  const results = await Array.fromAsync(placeChecks(where, place))
  yield* results
  if (results.some(({ state, check }) => state === 'fail' && check !== 'clock')) return
  const opened: CinderStore[] = []
  const reached = await probe({ where, check: 'backups', next: reachNext(place) }, async () => {
    const store = openCinderStore(await openTargetSpec(place))
    opened.push(store)
    return String((await Array.fromAsync(listLocations(store))).length)
  })
  yield reached
  const [store] = opened
  if (store === undefined) return
  try {
    if (reached.state !== 'ok') return
    const next = 'Backups could not be written here. Check what the user may do, or use another server.'
    yield await probe({ where, check: 'put, copy, list and delete', next }, () => selfTest(store))
  } finally {
    await store.close()
  }
}

/** With keys of its own, which are gone afterwards. */
async function selfTest(store: CinderStore): Promise<string> {
  const prefix = `volflow-doctor/${randomBytes(8).toString('hex')}`
  const bytes = randomBytes(LIMITS.chunkBytes)
  const keys = [`${prefix}-one`, `${prefix}-two`]
  const [one = '', two = ''] = keys
  const startedMs = performance.now()
  try {
    await store.put(one, bytes)
    await store.put(one, bytes)
    await store.copy(one, two)
    const copied = await readObject(store, two, { maxBytes: LIMITS.chunkBytes })
    if (copied?.equals(bytes) !== true)
      throw new Error('Expected a copy to have the same bytes, it has others')
    const listed = (await Array.fromAsync(store.list(prefix))).map(({ key }) => key).toSorted()
    if (listed.join() !== keys.join())
      throw new Error(`Expected both objects to be listed, got ${listed.join()}`)
  } finally {
    for (const key of keys) await store.delete(key)
  }
  if ((await readObject(store, one, { maxBytes: LIMITS.chunkBytes })) !== undefined)
    throw new Error('Expected an object to be gone that was deleted, it is still there')
  return `4 MiB put twice, copied, got and deleted in ${(performance.now() - startedMs).toFixed(0)} ms`
}
