import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Database } from '../../database/open.ts'
import { requestAbandon } from '../../database/operations/abandon.ts'
import { forgetArtifact, listArtifacts } from '../../database/operations/artifacts.ts'
import {
  acquireAttempt,
  type Attempt,
  quietAtMs,
  releaseAttempt,
  renewAttempt,
  saveCheckpoint,
} from '../../database/operations/attempts.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { requestCancel } from '../../database/operations/cancel.ts'
import { enterCommit } from '../../database/operations/commit.ts'
import { endOperation } from '../../database/operations/end.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestImage } from '../../database/requests/images.ts'
import { beginUpload, completeUpload } from '../../database/requests/uploads.ts'
import { OperationOverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, PLACES, statusOf, temporaryDatabase } from './database-fixture.ts'

let database: Database
let close: () => Promise<void>

beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
})
afterEach(() => close())

async function newVolume() {
  const { operationId, resourceId } = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  return { operationId: operationId ?? '', projectId: 'p1', volumeId: resourceId }
}

async function take(operationId: string, nowMs: number): Promise<Attempt> {
  const attempt = await acquireAttempt(database, { operationId, activity: 'copy' }, nowMs)
  if ('waitMs' in attempt) throw new Error('Expected the lease')
  return attempt
}

test('one idempotency key, used 20 times at once, makes one operation', async () => {
  const who = { ...actor(), idempotencyKey: 'k1' }
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => requestVolume(database, who, PLACES, { sizeBytes: MiB })),
  )
  expect(new Set(answers.map((answer) => answer.operationId)).size).toBe(1)
  expect(answers.filter((answer) => !answer.replayed)).toHaveLength(1)
  expect(await database.selectFrom('operations').selectAll().execute()).toHaveLength(1)
})

test('an idempotency key that comes back with another request is refused', async () => {
  const who = { ...actor(), idempotencyKey: 'k1' }
  await requestVolume(database, who, PLACES, { sizeBytes: MiB })
  await expect(requestVolume(database, who, PLACES, { sizeBytes: 2 * MiB })).rejects.toMatchObject({
    status: 409,
    code: 'idempotencyKeyReused',
  })
})

test('a refused request leaves nothing behind', async () => {
  for (const sizeBytes of [0, -MiB, 1, 1.5 * MiB + 1, 2 ** 60, Number.NaN]) {
    await expect(requestVolume(database, actor(), PLACES, { sizeBytes })).rejects.toMatchObject({
      status: 400,
    })
  }
  for (const table of ['volumes', 'operations', 'operationResources', 'artifacts'] as const) {
    expect(await database.selectFrom(table).selectAll().execute()).toEqual([])
  }
})

test('a pending operation is cancelled at once; its workflow then finds nothing to begin', async () => {
  const key = await newVolume()
  expect(await requestCancel(database, key)).toBe('ended')
  expect(await beginOperation(database, key.operationId)).toBeUndefined()
  expect(await statusOf(database, 'volumes', key.volumeId)).toBeUndefined()
  expect(await listArtifacts(database, key.operationId, 'all')).toEqual([])
})

test('a pending upload that is cancelled leaves its stage to be removed, and the image waits for that', async () => {
  const who = actor()
  const { resourceId: imageId } = await requestImage(database, who, PLACES, { diskFormat: 'raw' })
  const upload = await beginUpload(database, who, imageId)
  const { operationId } = await completeUpload(database, who, upload, { sizeBytes: 1, md5: '', sha512: '' })
  expect(await requestCancel(database, { operationId, projectId: 'p1' })).toBe('ended')
  const [stage, ...others] = await listArtifacts(database, operationId, 'all')
  expect(stage).toMatchObject({ kind: 'stage', id: imageId })
  expect(others).toEqual([])
  await expect(beginUpload(database, who, imageId)).rejects.toMatchObject({
    status: 409,
    code: 'uploadRemains',
  })
  if (stage !== undefined) await forgetArtifact(database, stage)
  expect(await beginUpload(database, who, imageId)).toMatchObject({ imageId })
})

test('a cancel request and the commit point exclude each other', async () => {
  const first = await newVolume()
  await beginOperation(database, first.operationId)
  expect(await requestCancel(database, first)).toBe('requested')
  expect(await enterCommit(database, first.operationId)).toBe(false)
  const second = await newVolume()
  await beginOperation(database, second.operationId)
  expect(await enterCommit(database, second.operationId)).toBe(true)
  await expect(requestCancel(database, second)).rejects.toMatchObject({
    status: 409,
    code: 'operationCommitted',
  })
})

test('the first end stays', async () => {
  const key = await newVolume()
  await beginOperation(database, key.operationId)
  await endOperation(database, key.operationId, { outcome: 'succeeded' })
  await endOperation(database, key.operationId, { outcome: 'failed', error: { code: 'x', message: 'late' } })
  const row = await database.selectFrom('operations').selectAll().executeTakeFirstOrThrow()
  expect(row).toMatchObject({ state: 'succeeded', errorCode: null })
})

test('an operation can end with an error message that has a NUL in it', async () => {
  const key = await newVolume()
  await beginOperation(database, key.operationId)
  const error = { code: 'invalid', message: 'Expected qcow2, got "\0"' }
  await endOperation(database, key.operationId, { outcome: 'failed', error })
  const row = await database.selectFrom('operations').selectAll().executeTakeFirstOrThrow()
  expect(row).toMatchObject({
    state: 'failed',
    errorMessage: expect.stringMatching(/^Expected qcow2/) as string,
  })
})

test('a new attempt waits for the lease of the one before, and then the old one cannot write any more', async () => {
  const { operationId } = await newVolume()
  await beginOperation(database, operationId)
  const first = await take(operationId, 1_000)
  await saveCheckpoint(database, first, 4 * MiB)
  expect(await acquireAttempt(database, first, 2_000)).toEqual({ waitMs: LIMITS.leaseMs - 1_000 })
  const second = await take(operationId, 1_000 + LIMITS.leaseMs)
  expect(second).toMatchObject({ token: first.token + 1, checkpointBytes: 4 * MiB, crashes: 1 })
  expect(await renewAttempt(database, first, 20_000, undefined)).toBeUndefined()
  expect(await saveCheckpoint(database, first, 8 * MiB)).toBe(false)
  expect(await quietAtMs(database, operationId)).toBe(1_000 + 2 * LIMITS.leaseMs)
})

test('of an operation that has ended no late task begins, but its undo does', async () => {
  const { operationId } = await newVolume()
  await endOperation(database, operationId, { outcome: 'cancelled' })
  await expect(take(operationId, 1_000)).rejects.toThrow(OperationOverError)
  const undo = { operationId, activity: 'releaseArtifact' }
  expect(await acquireAttempt(database, undo, 1_000)).toMatchObject({ token: 1 })
})

test('an abandoned operation takes the lease from whoever still works on it, but not from its undo', async () => {
  const key = await newVolume()
  await beginOperation(database, key.operationId)
  const attempt = await take(key.operationId, 1_000)
  const undo = await acquireAttempt(
    database,
    { operationId: key.operationId, activity: 'releaseArtifact' },
    1_000,
  )
  expect(await renewAttempt(database, attempt, 2_000, undefined)).toBeDefined()
  await requestAbandon(database, key)
  expect(await renewAttempt(database, attempt, 3_000, undefined)).toBeUndefined()
  expect(await renewAttempt(database, undo as Attempt, 3_000, undefined)).toBeDefined()
})

test('a released attempt is followed at once, and does not count as a crash', async () => {
  const { operationId } = await newVolume()
  await beginOperation(database, operationId)
  const first = await take(operationId, 1_000)
  await releaseAttempt(database, first, 1_500, { message: 'connection refused', nextRetryAtMs: 2_500 })
  const row = await database.selectFrom('operations').selectAll().executeTakeFirstOrThrow()
  expect(row).toMatchObject({ lastError: 'connection refused', nextRetryAt: new Date(2_500).toISOString() })
  const second = await take(operationId, 1_600)
  expect(second).toMatchObject({ crashes: 0, failingSinceMs: 1_500 })
  expect(await quietAtMs(database, operationId)).toBe(1_600 + LIMITS.leaseMs)
})

test('an attempt that stopped for want of the database is no crash; one that vanished is', async () => {
  const { operationId } = await newVolume()
  await beginOperation(database, operationId)
  const first = await take(operationId, 0)
  const key = { operationId, activity: 'copy' }
  const second = await acquireAttempt(database, key, LIMITS.leaseMs, first.token)
  expect(second).toMatchObject({ token: first.token + 1, crashes: 0 })
  expect(await acquireAttempt(database, key, 2 * LIMITS.leaseMs, first.token)).toMatchObject({ crashes: 1 })
})

test('a checkpoint forgets the crashes before it', async () => {
  const { operationId } = await newVolume()
  await beginOperation(database, operationId)
  await take(operationId, 0)
  const second = await take(operationId, LIMITS.leaseMs)
  await saveCheckpoint(database, second, MiB)
  const third = await take(operationId, 2 * LIMITS.leaseMs)
  expect(third.crashes).toBe(1)
})
