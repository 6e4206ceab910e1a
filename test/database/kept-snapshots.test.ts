import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { idsInWork } from '../../database/audit.ts'
import type { Database } from '../../database/open.ts'
import { listArtifacts } from '../../database/operations/artifacts.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { enterCommit } from '../../database/operations/commit.ts'
import { endOperation } from '../../database/operations/end.ts'
import { type BackupRequest, requestBackup, requestBackupDeletion } from '../../database/requests/backups.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVolumeDeletion } from '../../database/requests/delete-volume.ts'
import { requestMigration } from '../../database/requests/migrate-volume.ts'
import { requestSnapshot } from '../../database/requests/snapshots.ts'
import type { OperationEnd, OperationSpecs } from '../../domain/operations.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, temporaryDatabase } from './database-fixture.ts'

const KEEPING = { ...PLACES, backends: ['files', 'other'], keepingBackends: ['files'] }

let database: Database
let close: () => Promise<void>
let volumeId: string

beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
  const { operationId, resourceId } = await requestVolume(database, actor(), KEEPING, { sizeBytes: MiB })
  await finish(database, operationId)
  volumeId = resourceId
})
afterEach(() => close())

interface Done {
  readonly operationId: string
  readonly resourceId: string
  readonly spec: OperationSpecs['create-backup']
  /** What was released between the commit point and the end. */
  readonly released: string[]
}

/** From the request to the end, as the workflow goes. */
async function run(
  accepted: Promise<{ operationId: string | null; resourceId: string }>,
  end: OperationEnd = { outcome: 'succeeded' },
): Promise<Done> {
  const { operationId: id, resourceId } = await accepted
  const operationId = id ?? ''
  const begun = await beginOperation(database, operationId)
  await enterCommit(database, operationId)
  const artifacts = await listArtifacts(
    database,
    operationId,
    end.outcome === 'succeeded' ? 'temporary' : 'all',
  )
  await database
    .deleteFrom('artifacts')
    .where('id', 'in', ['', ...artifacts.map((one) => one.id)])
    .execute()
  await endOperation(database, operationId, end)
  const released = artifacts.filter(({ kind }) => kind === 'snapshot').map((one) => one.id)
  return { operationId, resourceId, spec: begun?.spec as Done['spec'], released }
}

const backUp = (request: Partial<BackupRequest> = {}, places = KEEPING) =>
  run(requestBackup(database, actor(), places, { volumeId, ...request }))

const kept = async () =>
  (await database.selectFrom('keptSnapshots').select('snapshotId').execute()).map((row) => row.snapshotId)

test('the snapshot of the newest backup in a target is kept until the next one is committed', async () => {
  const full = await backUp()
  expect(full.released).toEqual([])
  expect(await kept()).toEqual([full.spec.snapshotId])
  const incremental = await backUp({ incremental: true })
  expect(incremental.spec.parentSnapshotId).toBe(full.spec.snapshotId)
  expect(incremental.released).toEqual([full.spec.snapshotId])
  expect(await kept()).toEqual([incremental.spec.snapshotId])
  expect(await database.selectFrom('artifacts').selectAll().execute()).toEqual([])
})

test('each target has its own', async () => {
  const [local, s3] = [await backUp({ target: 'local' }), await backUp({ target: 's3' })]
  expect((await kept()).toSorted()).toEqual([local.spec.snapshotId, s3.spec.snapshotId].toSorted())
  const next = await backUp({ target: 's3', incremental: true })
  expect(next.released).toEqual([s3.spec.snapshotId])
})

test('a backup that fails keeps nothing, and before its commit point takes nothing away', async () => {
  const full = await backUp()
  const { operationId } = await requestBackup(database, actor(), KEEPING, { volumeId, incremental: true })
  await beginOperation(database, operationId ?? '')
  const artifacts = await listArtifacts(database, operationId ?? '', 'all')
  expect(artifacts.map(({ kind }) => kind)).toEqual(['backup', 'snapshot'])
  await endOperation(database, operationId ?? '', { outcome: 'failed' })
  expect(await kept()).toEqual([full.spec.snapshotId])
})

test('where nothing is to be kept, the snapshot goes with its operation, and so does one of earlier days', async () => {
  const full = await backUp()
  const next = await backUp({ incremental: true }, { ...KEEPING, keepingBackends: [] })
  expect(next.released.toSorted()).toEqual([full.spec.snapshotId, next.spec.snapshotId].toSorted())
  expect(await kept()).toEqual([])
  expect((await backUp({ incremental: true })).spec.parentSnapshotId).toBeNull()
})

test("a backup of a user's snapshot is compared with by that snapshot, for as long as it exists", async () => {
  const volumeNow = await backUp()
  const snapshot = await run(requestSnapshot(database, actor(), { volumeId }))
  const ofSnapshot = await backUp({ snapshotId: snapshot.resourceId, incremental: true })
  expect(ofSnapshot.spec.parentSnapshotId).toBe(volumeNow.spec.snapshotId)
  expect(await kept()).toEqual([volumeNow.spec.snapshotId])
  const next = await backUp({ incremental: true })
  expect(next.spec).toMatchObject({
    parentBackupId: ofSnapshot.resourceId,
    parentSnapshotId: snapshot.resourceId,
  })
})

test('it goes with its backup, its volume, or a move of the volume, and holds none of them up', async () => {
  const first = await backUp()
  expect((await run(requestBackupDeletion(database, actor(), first.resourceId))).released).toEqual([
    first.spec.snapshotId,
  ])
  const second = await backUp()
  const move = { volumeId, backend: 'other' }
  expect((await run(requestMigration(database, actor(), KEEPING, move))).released).toContain(
    second.spec.snapshotId,
  )
  const third = await backUp()
  expect((await run(requestVolumeDeletion(database, actor(), volumeId))).released).toEqual([
    third.spec.snapshotId,
  ])
  expect(await kept()).toEqual([])
})

test('what a backup keeps is explained, once the backup is gone it is not', async () => {
  const { spec, resourceId } = await backUp()
  const stranger = randomUUID()
  expect(await idsInWork(database, [spec.snapshotId, stranger])).toEqual(new Set([spec.snapshotId]))
  await database.deleteFrom('backups').where('id', '=', resourceId).execute()
  expect(await idsInWork(database, [spec.snapshotId])).toEqual(new Set())
})
