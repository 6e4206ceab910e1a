import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Database } from '../../database/open.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { requestCancel } from '../../database/operations/cancel.ts'
import { enterCommit } from '../../database/operations/commit.ts'
import { startableOperation } from '../../database/operations/dispatch.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVolumeDeletion } from '../../database/requests/delete-volume.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, statusOf, temporaryDatabase } from './database-fixture.ts'

let database: Database
let close: () => Promise<void>

beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
})
afterEach(() => close())

async function creationAndDeletion(begun: (operationId: string) => Promise<unknown>) {
  const { operationId: creation, resourceId } = await requestVolume(database, actor(), PLACES, {
    sizeBytes: MiB,
  })
  if (creation === null) throw new Error('Expected an operation')
  await begun(creation)
  const { operationId: deletion } = await requestVolumeDeletion(database, actor(), resourceId)
  if (deletion === null) throw new Error('Expected an operation')
  return { creation, deletion, resourceId }
}

async function operation(id: string) {
  return database.selectFrom('operations').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
}

test('a creation that has not begun is cancelled by a deletion, and nothing is left', async () => {
  const { creation, deletion, resourceId } = await creationAndDeletion(() => Promise.resolve())
  expect(await operation(creation)).toMatchObject({ state: 'cancelled' })
  expect(await startableOperation(database, deletion)).toMatchObject({ id: deletion })
  await finish(database, deletion)
  expect(await operation(deletion)).toMatchObject({ state: 'succeeded', superseded: 0 })
  expect(await statusOf(database, 'volumes', resourceId)).toBeUndefined()
})

test('a deletion waits for a running creation, which is asked to cancel; the volume is shown as being deleted', async () => {
  const { creation, deletion, resourceId } = await creationAndDeletion((id) => beginOperation(database, id))
  expect(await operation(creation)).toMatchObject({ state: 'running' })
  expect((await operation(creation)).cancelRequestedAt).not.toBeNull()
  expect(await operation(deletion)).toMatchObject({ waitingFor: `the end of operation ${creation}` })
  expect(await startableOperation(database, deletion)).toBeUndefined()
  expect(await statusOf(database, 'volumes', resourceId)).toBe('deleting')
  await finish(database, creation, { outcome: 'cancelled' })
  expect(await startableOperation(database, deletion)).toMatchObject({ id: deletion })
  await finish(database, deletion)
  expect(await operation(deletion)).toMatchObject({ state: 'succeeded', superseded: 0 })
  expect(await database.selectFrom('operationResources').selectAll().execute()).toEqual([])
})

test('a creation past its commit point succeeds, and what it made is deleted then', async () => {
  const { creation, deletion, resourceId } = await creationAndDeletion(async (id) => {
    await beginOperation(database, id)
    await enterCommit(database, id)
  })
  expect((await operation(creation)).cancelRequestedAt).toBeNull()
  await finish(database, creation)
  expect(await operation(creation)).toMatchObject({ state: 'succeeded', superseded: 0 })
  expect(await statusOf(database, 'volumes', resourceId)).toBe('deleting')
  await finish(database, deletion)
  expect(await statusOf(database, 'volumes', resourceId)).toBeUndefined()
})

test('a deletion that is cancelled while it waits leaves what the creation made of the volume', async () => {
  const { creation, deletion, resourceId } = await creationAndDeletion(async (id) => {
    await beginOperation(database, id)
    await enterCommit(database, id)
  })
  await finish(database, creation)
  await requestCancel(database, { operationId: deletion, projectId: 'p1' })
  expect(await statusOf(database, 'volumes', resourceId)).toBe('available')
})

test('a second deletion is refused and names the first', async () => {
  const { deletion, resourceId } = await creationAndDeletion((id) => beginOperation(database, id))
  await expect(requestVolumeDeletion(database, actor(), resourceId)).rejects.toMatchObject({
    status: 409,
    code: 'resourceBusy',
  })
  expect(await operation(deletion)).toMatchObject({ state: 'pending' })
})
