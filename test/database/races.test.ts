/** What goes wrong where two changes can come in between each other. Each race is run until it has had many chances. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, type DatabasePlace, openDatabase } from '../../database/open.ts'
import { acquireAttempt } from '../../database/operations/attempts.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { requestCancel } from '../../database/operations/cancel.ts'
import { enterCommit } from '../../database/operations/commit.ts'
import { endOperation } from '../../database/operations/end.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVolumeDeletion } from '../../database/requests/delete-volume.ts'
import { requestImage } from '../../database/requests/images.ts'
import { requestSnapshot } from '../../database/requests/snapshots.ts'
import { beginUpload } from '../../database/requests/uploads.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, statusOf, temporaryDatabase } from './database-fixture.ts'

const ROUNDS = 15

let database: Database
let place: DatabasePlace
let close: () => Promise<void>

beforeEach(async () => {
  ;({ database, place, close } = await temporaryDatabase())
})
afterEach(() => close())

async function newVolume() {
  const { operationId, resourceId } = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  return { operationId: operationId ?? '', projectId: 'p1', volumeId: resourceId }
}

async function availableVolume(): Promise<string> {
  const { operationId, volumeId } = await newVolume()
  await finish(database, operationId)
  return volumeId
}

function operationOf(operationId: string) {
  return database.selectFrom('operations').selectAll().where('id', '=', operationId).executeTakeFirstOrThrow()
}

/** How each ended: its value, or the code of its error. */
async function race<T>(...racers: (() => Promise<T>)[]): Promise<unknown[]> {
  const results = await Promise.allSettled(racers.map((racer) => racer()))
  return results.map((result) =>
    result.status === 'fulfilled' ? result.value : (result.reason as { code?: string }).code,
  )
}

test('processes that open a new database at once all find it complete', async () => {
  await close()
  const fresh = await temporaryDatabase()
  place = fresh.place
  close = fresh.close
  const opened = await Promise.all(Array.from({ length: 6 }, () => openDatabase(place)))
  for (const one of opened) {
    expect(await one.selectFrom('operations').selectAll().execute()).toEqual([])
    await one.destroy()
  }
})

test('of ten deletions of one volume at once, one is accepted, and nine name it', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const volumeId = await availableVolume()
    const answers = await Promise.allSettled(
      Array.from({ length: 10 }, () => requestVolumeDeletion(database, actor(), volumeId)),
    )
    const accepted = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    expect(accepted).toHaveLength(1)
    const holder = { code: 'resourceBusy', holderOperationId: accepted[0]?.operationId }
    const refused = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [answer.reason as unknown] : [],
    )
    expect(refused).toMatchObject(Array.from({ length: 9 }, () => holder))
  }
})

test('a deletion and a snapshot of one volume exclude each other', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const volumeId = await availableVolume()
    const results = await Promise.allSettled([
      requestVolumeDeletion(database, actor(), volumeId),
      requestSnapshot(database, actor(), { volumeId }),
    ])
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
    expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ status: 409 })
  }
})

test('ten uploads to one image at once: one has it', async () => {
  const image = await requestImage(database, actor(), PLACES, { diskFormat: 'raw' })
  const answers = await race(
    ...Array.from({ length: 10 }, () => () => beginUpload(database, actor(), image.resourceId)),
  )
  expect(answers.filter((answer) => answer !== 'invalidStatus')).toHaveLength(1)
})

test('a cancel and the commit point at once: exactly one of them is in force', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = await newVolume()
    await beginOperation(database, key.operationId)
    const [cancelled, committed] = await race<unknown>(
      () => requestCancel(database, key),
      () => enterCommit(database, key.operationId),
    )
    const row = await operationOf(key.operationId)
    expect([cancelled, committed]).toEqual(
      row.commitEnteredAt === null ? ['requested', false] : ['operationCommitted', true],
    )
    expect(row.cancelRequestedAt !== null).toBe(row.commitEnteredAt === null)
  }
})

test('a cancel and the begin at once: it ends unbegun, or its workflow knows', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = await newVolume()
    const [cancelled, begun] = await race<unknown>(
      () => requestCancel(database, key),
      () => beginOperation(database, key.operationId),
    )
    const row = await operationOf(key.operationId)
    if (cancelled === 'ended')
      expect([begun, row.state, row.startedAt]).toEqual([undefined, 'cancelled', null])
    else expect([cancelled, row.state]).toEqual(['requested', 'running'])
    expect(await statusOf(database, 'volumes', key.volumeId)).toBe(
      cancelled === 'ended' ? undefined : 'creating',
    )
  }
})

test('ten ends at once: one stays, and the resource follows it', async () => {
  const { operationId, volumeId } = await newVolume()
  await beginOperation(database, operationId)
  const error = { code: 'x', message: 'late' }
  await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      endOperation(
        database,
        operationId,
        index % 2 === 0 ? { outcome: 'succeeded' } : { outcome: 'failed', error },
      ),
    ),
  )
  const row = await operationOf(operationId)
  expect(row.superseded).toBe(0)
  expect(await statusOf(database, 'volumes', volumeId)).toBe(
    row.state === 'succeeded' ? 'available' : 'error',
  )
})

test('two holders that end at once leave their volume available', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const volumeId = await availableVolume()
    const holders = [
      await requestSnapshot(database, actor(), { volumeId }),
      await requestSnapshot(database, actor(), { volumeId }),
    ]
    await Promise.all(holders.map(({ operationId }) => finish(database, operationId)))
    expect(await statusOf(database, 'volumes', volumeId)).toBe('available')
  }
})

test('ten attempts at once: one has the lease', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { operationId } = await newVolume()
    await beginOperation(database, operationId)
    const taken = await Promise.all(
      Array.from({ length: 10 }, () => acquireAttempt(database, { operationId, activity: 'copy' }, 1_000)),
    )
    expect(taken.filter((attempt) => 'token' in attempt)).toHaveLength(1)
  }
})
