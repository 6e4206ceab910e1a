import { join } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import { expect, onTestFinished, test } from 'vitest'
import type { ScheduleRun } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, until, uploadImage } from './steps.ts'

/** Above the interval at which rows and Temporal are compared. */
const RECONCILED_MS = 25_000
const CONTENT = { sizeBytes: 64 * MiB, data: [{ offset: MiB, length: 24 * MiB, seed: 1 }] }

test('a scheduled backup starts, restores, pauses, survives Temporal and kill -9, and is deleted', async () => {
  const { installation, volumeId } = await withVolume()
  const { client } = installation
  let temporal = await temporalOf(installation)
  const { id } = await client.schedules.create({
    name: 'hourly',
    volumes: { ids: [volumeId] },
    intervalSeconds: 3600,
    fullEvery: null,
    retention: { last: 2 },
  })
  const handle = () => temporal.schedule.getHandle(`scheduled-backup/${id}`)
  const exists = () =>
    handle()
      .describe()
      .then(
        () => true,
        () => false,
      )
  const runs = async () => (await client.schedules.runs(id)).items
  const settled = async (count: number) => {
    const all = await runs()
    return all.length === count && all.every(({ outcome }) => outcome !== 'waiting')
  }
  const finished = async (run: ScheduleRun) =>
    ended(installation, await client.showOperation(run.operationId ?? ''))

  const [first] = (await client.schedules.run(id)).runs
  if (first === undefined) throw new Error('Expected a run')
  await finished(first)
  await until('it is applied', async () => (await client.schedules.show(id)).applied)
  await handle().trigger()
  await until('a planned run', () => settled(2))
  // Planned times are whole seconds: it may be listed before the one by hand.
  const planned = (await runs()).find(({ manual }) => !manual)
  if (planned === undefined) throw new Error('Expected a run')
  expect(planned).toMatchObject({ outcome: 'started', incremental: true, reason: null })
  await finished(planned)
  const restored = await ended(installation, client.createVolume({ backupId: planned.backupId ?? '' }))
  expect(await sha256OfVolume(installation, restored.resourceId)).toBe(
    await sha256OfVolume(installation, volumeId),
  )

  await client.schedules.pause(id)
  await until('it is paused in Temporal', async () => (await handle().describe()).state.paused)
  await handle().trigger()
  await until('the run is recorded', () => settled(3))
  expect((await runs())[0]).toMatchObject({
    outcome: 'skipped',
    reason: 'The schedule was paused.',
    backupId: null,
  })
  await client.schedules.unpause(id)
  await until('it goes on in Temporal', async () => !(await handle().describe()).state.paused)

  await handle().delete()
  await until('it is back', exists, RECONCILED_MS)
  await handle().trigger()
  await until('it runs again', () => settled(4))
  const [again] = await runs()
  if (again !== undefined) await finished(again)
  await until(
    'the oldest backup is deleted by the rules',
    async () => {
      const { items } = await client.listBackups()
      return items.length === 2 && !items.some((backup) => backup.id === first.backupId)
    },
    RECONCILED_MS,
  )
  expect((await client.schedules.retention(id)).items).toMatchObject([
    { backupId: again?.backupId, keep: true, reasons: ['last 1'] },
    { backupId: planned.backupId, keep: true, reasons: ['last 2'] },
  ])
  await expectClean(installation.checked())

  // Killed before Temporal can have been told of any of this.
  const second = await client.schedules.create({
    name: 'killed',
    volumes: { ids: [volumeId] },
    cron: '0 3 * * *',
  })
  await client.schedules.update(id, { intervalSeconds: 7200 })
  await installation.kill9All()
  await installation.up()
  temporal = await temporalOf(installation)
  await until('both are applied', async () => {
    const { items } = await client.schedules.list()
    return items.length === 2 && items.every(({ applied }) => applied)
  })
  expect((await handle().describe()).spec.intervals).toMatchObject([{ every: 7_200_000 }])
  await expectClean(installation.checked())

  await client.schedules.delete(id)
  await client.schedules.delete(second.id)
  await until(
    'none is left in Temporal',
    async () => {
      for await (const { scheduleId } of temporal.schedule.list()) if (scheduleId !== '') return false
      return true
    },
    RECONCILED_MS,
  )
  await expectClean(installation.checked())
}, 240_000)

test('a run whose volume is busy waits and says for whom, and is skipped when its catch-up window ends', async () => {
  const installation = await Installation.start()
  onTestFinished(() => installation[Symbol.asyncDispose]())
  const { client } = installation
  const temporal = await temporalOf(installation)
  const worker = await installation.servicePid('data-worker')
  process.kill(worker, 'SIGSTOP')
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  const request = {
    name: 'a',
    volumes: { ids: [operation.resourceId] },
    intervalSeconds: 86_400,
    catchUpSeconds: 10,
  }
  const { id } = await client.schedules.create(request)
  await until('it is applied', async () => (await client.schedules.show(id)).applied)
  await temporal.schedule.getHandle(`scheduled-backup/${id}`).trigger()
  const run = async () => (await client.schedules.runs(id)).items[0]
  const held = `held by operation ${operation.id}`
  await until('it waits', async () => (await run())?.reason?.includes(held) === true)
  expect(await run()).toMatchObject({ outcome: 'waiting', backupId: null })
  await until('it is skipped', async () => (await run())?.outcome === 'skipped')
  expect(await run()).toMatchObject({
    reason: expect.stringContaining(held) as string,
    backupId: null,
    operationId: null,
  })
  process.kill(worker, 'SIGCONT')
  await ended(installation, operation)
  await ended(installation, client.deleteVolume(operation.resourceId))
  await until('it pauses itself', async () => (await client.schedules.show(id)).paused, RECONCILED_MS)
  expect(await client.schedules.show(id)).toMatchObject({
    note: 'Paused: none of its volumes exists any more.',
    nextRuns: [],
  })
  await expectClean(installation.checked())
}, 180_000)

async function withVolume() {
  const installation = await Installation.start()
  onTestFinished(() => installation[Symbol.asyncDispose]())
  const path = join(installation.folder, 'image.qcow2')
  await makeQcow2Image(path, CONTENT)
  const imageId = await uploadImage(installation, path, 'qcow2')
  const { resourceId: volumeId } = await ended(installation, installation.client.createVolume({ imageId }))
  return { installation, volumeId }
}

async function temporalOf(installation: Installation): Promise<Client> {
  const connection = await Connection.connect({ address: installation.temporalAddress })
  onTestFinished(() => connection.close())
  return new Client({ connection })
}
