import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database, DatabasePlace } from '../../database/open.ts'
import { requestBackup } from '../../database/requests/backups.ts'
import { quotaUsage, setQuotas } from '../../database/quotas.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestImage } from '../../database/requests/images.ts'
import { requestSnapshot } from '../../database/requests/snapshots.ts'
import { MiB } from '../../domain/sizes.ts'
import { VolflowClient } from '../../sdk/client.ts'
import { ApiError } from '../../sdk/errors.ts'
import type { Operation } from '../../sdk/types.ts'
import { actor, finish, PLACES, temporaryDatabase } from '../database/database-fixture.ts'

const RUNS = 50
const API = fileURLToPath(new URL('racing-api.ts', import.meta.url))

interface World {
  readonly volumeId: string
  readonly snapshotId: string
  readonly backupId: string
  readonly imageId: string
}
type Request = (client: VolflowClient, world: World) => Promise<{ operation: Operation }>

const REQUESTS = {
  snapshot: (client, { volumeId }) => client.createSnapshot({ volumeId }),
  backup: (client, { volumeId }) => client.createBackup({ volumeId }),
  'incremental backup': (client, { volumeId }) => client.createBackup({ volumeId, incremental: true }),
  clone: (client, { volumeId }) => client.createVolume({ sourceVolumeId: volumeId }),
  extend: (client, { volumeId }) => client.extendVolume(volumeId, { sizeBytes: 2 * MiB }),
  flatten: (client, { volumeId }) => client.flattenVolume(volumeId),
  revert: (client, { volumeId, snapshotId }) => client.revertVolume(volumeId, { snapshotId }),
  'delete the snapshot': (client, { snapshotId }) => client.deleteSnapshot(snapshotId),
  'volume from the snapshot': (client, { snapshotId }) => client.createVolume({ snapshotId }),
  'delete the backup': (client, { backupId }) => client.deleteBackup(backupId),
  restore: (client, { backupId }) => client.createVolume({ backupId }),
  'delete the image': (client, { imageId }) => client.deleteImage(imageId),
  'volume from the image': (client, { imageId }) => client.createVolume({ imageId }),
  'delete the volume': async (client, { volumeId }) => client.deleteVolume(volumeId),
} satisfies Record<string, Request>
type Name = keyof typeof REQUESTS

/** As in the table of docs/design.md. (An incremental backup takes no parent that is being deleted: no pair.) */
const PAIRS: readonly (readonly [Name, Name, 'both' | 'one'])[] = [
  ['snapshot', 'backup', 'both'],
  ['snapshot', 'clone', 'both'],
  ['snapshot', 'delete the snapshot', 'both'],
  ['restore', 'incremental backup', 'both'],
  ['extend', 'backup', 'one'],
  ['extend', 'extend', 'one'],
  ['extend', 'snapshot', 'one'],
  ['extend', 'clone', 'one'],
  ['flatten', 'backup', 'one'],
  ['revert', 'snapshot', 'one'],
  ['revert', 'backup', 'one'],
  ['revert', 'delete the snapshot', 'one'],
  ['revert', 'volume from the snapshot', 'one'],
  ['delete the snapshot', 'volume from the snapshot', 'one'],
  ['delete the volume', 'snapshot', 'one'],
  ['delete the volume', 'backup', 'one'],
  ['delete the volume', 'clone', 'one'],
  ['delete the volume', 'extend', 'one'],
  ['delete the backup', 'restore', 'one'],
  ['delete the image', 'volume from the image', 'one'],
]

let database: Database
let close: () => Promise<void>
let urls: readonly [string, string]
let clients: readonly [VolflowClient, VolflowClient]
const stops: (() => void)[] = []

beforeAll(async () => {
  const made = await temporaryDatabase()
  ;({ database, close } = made)
  urls = [await startProcess(made.place), await startProcess(made.place)]
  clients = [clientOf(urls[0], 'p1'), clientOf(urls[1], 'p1')]
})
afterAll(async () => {
  for (const stop of stops) stop()
  await close()
})

test.each(PAIRS)(
  `%s and %s at once, through two processes, ${RUNS} times: %s accepted, and nothing stays held`,
  async (first, second, accepted) => {
    for (let run = 0; run < RUNS; run++) {
      const world = await makeWorld([first, second].includes('delete the volume'))
      const order = run % 2 === 0 ? clients : [clients[1], clients[0]]
      const outcomes = await Promise.allSettled([
        REQUESTS[first](order[0], world),
        REQUESTS[second](order[1], world),
      ])
      const operations = outcomes.flatMap((outcome) =>
        outcome.status === 'fulfilled' ? [outcome.value.operation] : [],
      )
      const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
      expect(operations, String(refusals)).toHaveLength(accepted === 'both' ? 2 : 1)
      for (const refusal of refusals) {
        expect(refusal).toBeInstanceOf(ApiError)
        const holder = { code: 'resourceBusy', holderOperationId: operations[0]?.id }
        expect(refusal).toMatchObject({ status: 409, ...holder })
      }
      for (const { id } of operations) await finish(database, id, { outcome: 'cancelled' })
      await expectAtRest()
    }
  },
  120_000,
)

test('200 volumes at once, through two processes, fill a quota of 120 exactly', async () => {
  const projectId = 'crowded'
  const limits = { volumes: 120, gigabytes: 1000 }
  await database
    .transaction()
    .execute((tx) => setQuotas(tx, { scope: 'project', scopeId: projectId }, limits))
  const crowd = [clientOf(urls[0], projectId), clientOf(urls[1], projectId)] as const
  const outcomes = await Promise.allSettled(
    Array.from({ length: 200 }, (_, index) =>
      crowd[index % 2 === 0 ? 0 : 1].createVolume({ sizeBytes: MiB }),
    ),
  )
  const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  expect(refusals).toHaveLength(80)
  for (const refusal of refusals) expect(refusal).toMatchObject({ status: 413, code: 'quotaExceeded' })
  const { count } = await database
    .selectFrom('volumes')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('projectId', '=', projectId)
    .executeTakeFirstOrThrow()
  expect(count).toBe(120)
  expect(await quotaUsage(database, projectId)).toMatchObject({ volumes: 120, gigabytes: 120 })
  const open = await database
    .selectFrom('operations')
    .select('id')
    .where('projectId', '=', projectId)
    .execute()
  expect(open).toHaveLength(120)
}, 120_000)

/** Everything a request may be about, at rest. A volume that shall be deleted has no snapshot. */
async function makeWorld(withoutSnapshot: boolean): Promise<World> {
  const volumeId = await done(requestVolume(database, actor(), PLACES, { sizeBytes: MiB }))
  const backupId = await done(requestBackup(database, actor(), PLACES, { volumeId }))
  const snapshotId = withoutSnapshot ? '' : await done(requestSnapshot(database, actor(), { volumeId }))
  const { resourceId: imageId } = await requestImage(database, actor(), PLACES, { diskFormat: 'raw' })
  const uploaded = { status: 'active', sizeBytes: MiB, virtualSizeBytes: MiB }
  await database.updateTable('images').set(uploaded).where('id', '=', imageId).execute()
  return { volumeId, snapshotId, backupId, imageId }
}

async function done(accepted: Promise<{ operationId: string | null; resourceId: string }>): Promise<string> {
  const { operationId, resourceId } = await accepted
  await finish(database, operationId)
  return resourceId
}

async function expectAtRest(): Promise<void> {
  expect(await database.selectFrom('operationResources').selectAll().execute()).toEqual([])
  for (const table of ['volumes', 'snapshots', 'backups', 'images'] as const) {
    const busy = database
      .selectFrom(table)
      .select('status')
      .where('status', 'not in', ['available', 'active'])
    expect(await busy.execute()).toEqual([])
  }
  const open = database.selectFrom('operations').select('id').where('state', 'in', ['pending', 'running'])
  expect(await open.execute()).toEqual([])
}

function clientOf(baseUrl: string, projectId: string): VolflowClient {
  return new VolflowClient({ baseUrl, projectId })
}

async function startProcess(place: DatabasePlace): Promise<string> {
  const child = spawn(process.execPath, [API, JSON.stringify(place)], { stdio: ['pipe', 'pipe', 'inherit'] })
  stops.push(() => child.stdin.end())
  for await (const chunk of child.stdout) {
    return String(chunk).trim()
  }
  throw new Error('Expected an API to start')
}
