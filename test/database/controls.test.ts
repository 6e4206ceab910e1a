import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Database } from '../../database/open.ts'
import { acquireAttempt, releaseAttempt } from '../../database/operations/attempts.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { requestCancel } from '../../database/operations/cancel.ts'
import { enterCommit } from '../../database/operations/commit.ts'
import {
  changeControls,
  changeOperation,
  controlsOf,
  resumableOperations,
} from '../../database/operations/controls.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, temporaryDatabase } from './database-fixture.ts'

const FILES = { scope: 'backend', name: 'files' } as const
const PROJECT = { scope: 'project', name: 'p1' } as const
const NOW_MS = 1_000

let database: Database
let close: () => Promise<void>

beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
})
afterEach(() => close())

async function running(): Promise<string> {
  const { operationId } = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  if (operationId === null) throw new Error('Expected an operation')
  await beginOperation(database, operationId)
  return operationId
}

async function take(operationId: string, nowMs = NOW_MS) {
  const attempt = await acquireAttempt(database, { operationId, activity: 'copy' }, nowMs)
  if ('waitMs' in attempt) throw new Error('Expected the lease')
  return attempt
}

const change = (operationId: string, to: Parameters<typeof changeOperation>[2], projectId = 'p1') =>
  changeOperation(database, { operationId, projectId }, to)

test('an operation is paused by its own, its backend’s and its project’s pause, and goes on when none is left', async () => {
  const operationId = await running()
  const paused = async () => (await controlsOf(database, operationId, NOW_MS)).paused
  expect(await paused()).toBe(false)
  await change(operationId, { paused: true })
  await changeControls(database, FILES, { paused: true })
  await changeControls(database, PROJECT, { paused: true })
  expect(await paused()).toBe(true)
  await releaseAttempt(database, await take(operationId), NOW_MS, 'paused')
  await change(operationId, { paused: false })
  await changeControls(database, FILES, { paused: false })
  expect(await resumableOperations(database, 10)).toEqual([])
  await changeControls(database, PROJECT, { paused: false })
  expect(await paused()).toBe(false)
  expect(await resumableOperations(database, 10)).toEqual([operationId])
})

test('another project’s and another backend’s pause do not matter', async () => {
  const operationId = await running()
  await changeControls(database, { scope: 'project', name: 'files' }, { paused: true })
  await changeControls(database, { scope: 'backend', name: 'p1' }, { paused: true })
  expect(await controlsOf(database, operationId, NOW_MS)).toEqual({ paused: false, rateLimitBytes: null })
})

test('a cancel is not held up by a pause, and what passed its commit point cannot be paused', async () => {
  const cancelled = await running()
  await change(cancelled, { paused: true })
  await releaseAttempt(database, await take(cancelled), NOW_MS, 'paused')
  await requestCancel(database, { operationId: cancelled, projectId: 'p1' })
  expect(await controlsOf(database, cancelled, NOW_MS)).toMatchObject({ paused: false })
  expect(await resumableOperations(database, 10)).toEqual([cancelled])

  const committed = await running()
  await enterCommit(database, committed)
  await expect(change(committed, { paused: true })).rejects.toMatchObject({
    status: 409,
    code: 'operationCommitted',
  })
  await changeControls(database, FILES, { paused: true })
  expect(await controlsOf(database, committed, NOW_MS)).toMatchObject({ paused: false })
})

test('an operation obeys the lesser of its own limit and its share of the backend’s', async () => {
  const [first, second] = [await running(), await running()]
  await changeControls(database, FILES, { rateLimitBytes: 100 * MiB })
  await take(first)
  const limit = async (id: string) => (await controlsOf(database, id, NOW_MS)).rateLimitBytes
  expect(await limit(first)).toBe(100 * MiB)
  const attempt = await take(second)
  expect(attempt.controls.rateLimitBytes).toBe(50 * MiB)
  expect(await limit(first)).toBe(50 * MiB)
  await change(first, { rateLimitBytes: 20 * MiB })
  expect(await limit(first)).toBe(20 * MiB)
  await releaseAttempt(database, attempt, NOW_MS, undefined)
  await change(first, { rateLimitBytes: null })
  expect(await limit(first)).toBe(100 * MiB)
})

test('changes to what is unknown, foreign or over are refused', async () => {
  const operationId = await running()
  await expect(change('nothing', { paused: true })).rejects.toMatchObject({ status: 404 })
  await expect(change(operationId, { paused: true }, 'p2')).rejects.toMatchObject({ status: 404 })
  await finish(database, operationId)
  await expect(change(operationId, { paused: true })).rejects.toMatchObject({
    status: 409,
    code: 'operationEnded',
  })
})
