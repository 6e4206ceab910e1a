import { beforeEach, expect, test } from 'vitest'
import { runToEnd } from './end-operation.ts'
import { startApi, type TestApi } from './start-api.ts'
import { MiB } from '../../domain/sizes.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

let api: TestApi
let volumeId: string

beforeEach(async () => {
  api = await startApi()
  const { operation } = await api.client.createVolume({ sizeBytes: MiB })
  await runToEnd(api.database, operation.id)
  volumeId = operation.resourceId
})

const schedules = () => api.database.selectFrom('schedules').selectAll().execute()

test.for<[string, object, number, string]>([
  ['no timing', {}, 400, 'timingMissing'],
  ['two timings', { cron: '0 0 * * *', intervalSeconds: 60 }, 400, 'manyTimings'],
  ['four cron fields', { cron: '0 0 * *' }, 400, 'invalidCron'],
  ['a cron minute too many', { cron: '60 0 * * *' }, 400, 'invalidCron'],
  ['a cron day that never comes', { cron: '0 0 31 2 *' }, 400, 'invalidCron'],
  ['an endless cron', { cron: `${'0,'.repeat(200)}0 0 * * *` }, 400, 'invalidRequest'],
  ['an unknown zone', { cron: '0 0 * * *', timeZone: 'Mars/Olympus' }, 400, 'unknownTimeZone'],
  ['a zone for an interval', { intervalSeconds: 60, timeZone: 'Europe/Berlin' }, 400, 'timeZoneWithoutCron'],
  ['less than a minute', { intervalSeconds: 59 }, 400, 'invalidRequest'],
  ['more than a year', { intervalSeconds: 367 * 86_400 }, 400, 'invalidRequest'],
  ['an interval in words', { intervalSeconds: '1h' }, 400, 'invalidRequest'],
  ['negative jitter', { intervalSeconds: 60, jitterSeconds: -1 }, 400, 'invalidRequest'],
  ['no catch-up window', { intervalSeconds: 60, catchUpSeconds: 0 }, 400, 'invalidRequest'],
  ['a full backup every 0', { intervalSeconds: 60, fullEvery: 0 }, 400, 'invalidRequest'],
  ['an unknown policy', { intervalSeconds: 60, overlap: 'allow' }, 400, 'invalidRequest'],
  ['an empty name', { intervalSeconds: 60, name: '' }, 400, 'invalidRequest'],
  ['a name that acts on terminals', { intervalSeconds: 60, name: 'a\u001b[2J' }, 400, 'invalidRequest'],
  ['an unknown field', { intervalSeconds: 60, colour: 'red' }, 400, 'invalidRequest'],
  ['an unknown target', { intervalSeconds: 60, target: 'tape' }, 400, 'unknownPlace'],
  ['an unknown volume', { intervalSeconds: 60, volumes: { ids: [NOWHERE] } }, 404, 'volumeNotFound'],
])('A schedule with %s is refused and nothing is created', async ([, request, status, code]) => {
  const payload = { name: 'nightly', volumes: { ids: [volumeId] }, ...request }
  const answer = await api.app.inject({ method: 'POST', url: '/operations/v1/schedules', payload })
  expect(answer.statusCode).toBe(status)
  expect(answer.json()).toMatchObject({ error: { code } })
  expect(await schedules()).toEqual([])
})

test('A schedule shows its next five runs, and none while it is paused', async () => {
  const created = await api.client.schedules.create({
    name: 'weekly',
    volumes: { ids: [volumeId] },
    cron: '30 2 * * mon',
    timeZone: 'europe/berlin',
  })
  expect(created).toMatchObject({
    ...{
      name: 'weekly',
      volumes: { ids: [volumeId] },
      target: 'disk',
      cron: '30 2 * * mon',
      timeZone: 'Europe/Berlin',
    },
    ...{ intervalSeconds: null, jitterSeconds: 0, catchUpSeconds: 3600, fullEvery: 1, overlap: 'skip' },
    ...{ paused: false, applied: false, applyError: null },
  })
  expect(created.nextRuns).toHaveLength(5)
  for (const time of created.nextRuns) {
    const shown = new Date(time).toLocaleString('en-GB', {
      timeZone: 'Europe/Berlin',
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
    })
    expect(shown).toMatch(/^Mon,? 02:30$/)
  }
  expect(await api.client.schedules.pause(created.id, { note: 'moving house' })).toMatchObject({
    ...{ paused: true, note: 'moving house', nextRuns: [] },
  })
  expect(await api.client.schedules.unpause(created.id)).toMatchObject({ paused: false, note: null })
})

test('A change touches what is given, and moves between cron and intervals', async () => {
  const { id } = await api.client.schedules.create({
    name: 'a',
    volumes: { ids: [volumeId] },
    cron: '0 0 * * *',
    timeZone: 'Asia/Tokyo',
  })
  const renamed = await api.client.schedules.update(id, { name: 'b', fullEvery: 7 })
  expect(renamed).toMatchObject({ name: 'b', fullEvery: 7, cron: '0 0 * * *', timeZone: 'Asia/Tokyo' })
  const often = await api.client.schedules.update(id, { intervalSeconds: 90 })
  expect(often).toMatchObject({ cron: null, timeZone: 'UTC', intervalSeconds: 90, fullEvery: 7 })
  const bad = api.client.schedules.update(id, { timeZone: 'Asia/Tokyo' })
  await expect(bad).rejects.toMatchObject({ status: 400, code: 'timeZoneWithoutCron' })
  expect(await api.client.schedules.update(id, { cron: '5 * * * *' })).toMatchObject({
    cron: '5 * * * *',
    intervalSeconds: null,
  })
  expect(await schedules()).toMatchObject([{ generation: 4 }])
})

test('Run now starts a backup, is refused while that goes on, and is listed', async () => {
  const { id } = await api.client.schedules.create({
    name: 'a',
    volumes: { ids: [volumeId] },
    intervalSeconds: 3600,
    paused: true,
  })
  const { runs } = await api.client.schedules.run(id)
  expect(runs).toMatchObject([{ volumeId, outcome: 'started', manual: true, incremental: false }])
  const operation = await api.client.showOperation(runs[0]?.operationId ?? '')
  expect(operation).toMatchObject({ kind: 'create-backup', state: 'pending' })
  expect(api.dispatched).toContain(operation.id)
  const again = api.client.schedules.run(id)
  await expect(again).rejects.toMatchObject({
    status: 409,
    code: 'runOverlaps',
    holderOperationId: operation.id,
  })
  await runToEnd(api.database, operation.id)
  await api.client.schedules.run(id)
  const page = await api.client.schedules.runs(id, { limit: 1 })
  expect(page.items).toMatchObject([{ outcome: 'started', manual: true }])
  const rest = await api.client.schedules.runs(id, { marker: page.next ?? '' })
  expect(rest).toMatchObject({
    items: [{ outcome: 'skipped', reason: expect.stringContaining(operation.id) as string }, runs[0]],
    next: null,
  })
})

test('A repeated request with the same key makes one schedule', async () => {
  const request = { name: 'a', volumes: { ids: [volumeId] }, intervalSeconds: 3600 }
  const first = await api.client.schedules.create(request, { idempotencyKey: 'k' })
  const second = await api.client.schedules.create(request, { idempotencyKey: 'k' })
  expect(second.id).toBe(first.id)
  expect(await schedules()).toHaveLength(1)
})

test('Schedules are found by name, deleted with their runs, and hidden from other projects', async () => {
  const { client, app } = api
  const { id } = await client.schedules.create({
    name: 'a',
    volumes: { ids: [volumeId] },
    intervalSeconds: 3600,
  })
  await client.schedules.create({ name: 'b', volumes: { ids: [volumeId] }, intervalSeconds: 3600 })
  expect((await client.schedules.list({ name: 'a' })).items.map((schedule) => schedule.id)).toEqual([id])
  for (const [method, path] of [
    ['GET', ''],
    ['DELETE', ''],
    ['GET', '/runs'],
    ['POST', '/run'],
    ['POST', '/pause'],
    ['POST', '/unpause'],
  ] as const) {
    const url = `/operations/v1/schedules/${id}${path}`
    const answer = await app.inject({ method, url, headers: { 'x-project-id': 'other' } })
    expect(answer.statusCode, `${method} ${path}`).toBe(404)
    expect(answer.json().error.code).toBe('scheduleNotFound')
  }
  await client.schedules.run(id)
  expect(await client.schedules.delete(id)).toMatchObject({ name: 'a' })
  await expect(client.schedules.show(id)).rejects.toMatchObject({ status: 404 })
  expect(await api.database.selectFrom('scheduleRuns').selectAll().execute()).toEqual([])
})

test('A project has room for a thousand schedules', async () => {
  const { id } = await api.client.schedules.create({
    name: 'a',
    volumes: { ids: [volumeId] },
    intervalSeconds: 3600,
  })
  const [row] = await schedules()
  if (row === undefined) throw new Error('Expected a schedule')
  const rows = Array.from({ length: 999 }, (_, n) => ({ ...row, id: `${id}-${n}` }))
  for (let at = 0; at < rows.length; at += 100)
    await api.database
      .insertInto('schedules')
      .values(rows.slice(at, at + 100))
      .execute()
  const more = api.client.schedules.create({ name: 'b', volumes: { ids: [volumeId] }, intervalSeconds: 3600 })
  await expect(more).rejects.toMatchObject({ status: 409, code: 'tooManySchedules' })
})
