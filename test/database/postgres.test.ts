/** What only PostgreSQL does: runs there alone. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, type DatabasePlace, openDatabase } from '../../database/open.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { LIMITS } from '../../domain/limits.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, PLACES, temporaryDatabase } from './database-fixture.ts'
import { freePort } from '../../scripts/ports.ts'

let database: Database
let place: Exclude<DatabasePlace, string>
let close: () => Promise<void>

beforeEach(async () => {
  const temporary = await temporaryDatabase()
  if (typeof temporary.place === 'string') throw new Error('Expected PostgreSQL')
  ;({ database, close } = temporary)
  place = temporary.place
})
afterEach(() => close())

test('bytes, counts and sums come back as numbers', async () => {
  const largest = Number.MAX_SAFE_INTEGER - MiB
  for (const sizeBytes of [MiB, MiB]) await requestVolume(database, actor(), PLACES, { sizeBytes })
  const { id } = await database.selectFrom('volumes').select('id').executeTakeFirstOrThrow()
  await database.updateTable('volumes').set({ sizeBytes: largest }).where('id', '=', id).execute()
  const row = await database
    .selectFrom('volumes')
    .select(({ fn }) => [fn.max('sizeBytes').as('max'), fn.sum('sizeBytes').as('sum')])
    .select(({ fn }) => fn.countAll().as('count'))
    .executeTakeFirstOrThrow()
  expect(row).toEqual({ max: largest, sum: largest + MiB, count: 2 })
})

test('a writer that freezes in its turn loses it, and what it did is undone', async () => {
  let isFrozen = () => {}
  const frozen = new Promise<void>((resolve) => (isFrozen = resolve))
  const lost = database.transaction().execute(async (tx) => {
    const lease = { imageId: 'frozen', token: 't', leaseExpiresAtMs: 1 }
    await tx.insertInto('uploads').values(lease).execute()
    isFrozen()
    await sleep(LIMITS.databaseTurnIdleMs + 1_000)
    await tx.deleteFrom('operations').execute()
  })
  const refusal = expect(lost).rejects.toMatchObject({ name: 'DatabaseUnavailableError' })
  await frozen
  await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await refusal
  expect(await database.selectFrom('uploads').selectAll().execute()).toEqual([])
  expect(await database.selectFrom('operations').selectAll().execute()).toHaveLength(1)
})

test('readers do not wait for a writer', async () => {
  await database.transaction().execute(async (tx) => {
    await tx.deleteFrom('operations').execute()
    expect(await database.selectFrom('operations').selectAll().execute()).toEqual([])
  })
})

test('a statement that is refused leaves its connection usable', async () => {
  const lease = { imageId: 'i', token: 't', leaseExpiresAtMs: 1 }
  await database.insertInto('uploads').values(lease).execute()
  const again = database.insertInto('uploads').values(lease).execute()
  await expect(again).rejects.toMatchObject({ code: '23505' })
  expect(await database.deleteFrom('uploads').execute()).toMatchObject([{ numDeletedRows: 1n }])
})

test('a database that cannot be opened is named, with the reason and without the password', async () => {
  const { host, pathname } = new URL(place.url)
  const wrong = await openDatabase({ url: place.url, password: 'wrong-secret' }).catch(String)
  expect(wrong).toContain(
    `The database ${host}${pathname} could not be opened: password authentication failed`,
  )
  expect(wrong).not.toContain('wrong-secret')
  const port = await freePort()
  await expect(openDatabase({ url: `postgresql://volflow@127.0.0.1:${port}/nowhere` })).rejects.toThrow(
    `The database 127.0.0.1:${port}/nowhere could not be opened: connect ECONNREFUSED`,
  )
})
