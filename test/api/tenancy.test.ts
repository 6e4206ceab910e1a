import { expect, test } from 'vitest'
import openapi from '../../api/openapi.json' with { type: 'json' }
import { requireOperation } from '../../database/operations/read.ts'
import { MiB } from '../../domain/sizes.ts'
import { VolflowClient } from '../../sdk/client.ts'
import { runToEnd } from './end-operation.ts'
import { startApi, type TestApi } from './start-api.ts'

const BASE = '/operations/v1'

/** Valid bodies of the routes that want one, so that it is the project that is refused. */
const BODIES: Readonly<Record<string, object>> = {
  'PATCH /operations/{id}': { paused: true },
  'PATCH /schedules/{id}': { name: 'ours' },
  'PATCH /webhooks/{id}': { name: 'ours' },
  'POST /volumes/{id}/upload-image': { diskFormat: 'raw' },
  'POST /volumes/{id}/extend': { sizeBytes: 2 * MiB },
  'POST /volumes/{id}/migrate': { backend: 'local' },
  'POST /volumes/{id}/reimage': { imageId: 'ID' },
  'POST /volumes/{id}/revert': { snapshotId: 'ID' },
  'POST /volumes/{id}/attach': { guest: 'vm' },
  'POST /backups/{id}/restore': { volumeId: 'ID' },
  'POST /backups/{id}/copy': { target: 's3' },
  'POST /images/{id}/copy': { store: 'files' },
}

const RESOURCES = [
  'operations',
  'images',
  'volumes',
  'snapshots',
  'backups',
  'schedules',
  'webhooks',
] as const

test('No route of the native API shows or changes what another project has, not even to an administrator', async () => {
  const { ids, ask, api } = await makeTheirs()
  const before = await contents(api.database)
  const routes = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    path.includes('{id}')
      ? Object.keys(methods).map((method) => [method, path.slice(BASE.length)] as const)
      : [],
  )
  expect(routes.length).toBeGreaterThan(40)
  for (const [method, path] of routes) {
    const kind = path.split('/')[1] as keyof typeof ids
    const name = `${method.toUpperCase()} ${path}`
    const url = path.replace('{id}', ids[kind]).replace('{number}', '1')
    const body = JSON.stringify(BODIES[name] ?? {}).replace('"ID"', `"${ids[kind]}"`)
    const answer = await ask(method, url, path.endsWith('/file') ? 'bytes' : body)
    expect([name, answer.statusCode]).toEqual([name, 404])
  }
  expect(await contents(api.database)).toEqual(before)
})

test('Nothing is made from what another project has', async () => {
  const { ids, ask, api } = await makeTheirs()
  const before = await contents(api.database)
  for (const [path, body] of [
    ['/volumes', { sourceVolumeId: ids.volumes }],
    ['/volumes', { snapshotId: ids.snapshots }],
    ['/volumes', { backupId: ids.backups }],
    ['/volumes', { imageId: ids.images }],
    ['/snapshots', { volumeId: ids.volumes }],
    ['/backups', { volumeId: ids.volumes }],
    ['/schedules', { volumes: { ids: [ids.volumes] }, intervalSeconds: 3600, name: 'ours' }],
  ] as const) {
    const answer = await ask('post', path, JSON.stringify(body))
    expect([path, answer.statusCode]).toEqual([path, 404])
  }
  expect(await contents(api.database)).toEqual(before)
})

test('Lists and events have only what the project has', async () => {
  const { ask } = await makeTheirs()
  for (const kind of [...RESOURCES, 'events'])
    expect([kind, (await ask('get', `/${kind}`, '')).json().items]).toEqual([kind, []])
})

/** One of everything in the project `theirs`, and a way to ask as `ours`. */
async function makeTheirs() {
  const api: TestApi = await startApi({
    retry: async (key) => void (await requireOperation(api.database, key)),
  })
  const { app, database, url } = api
  const theirs = new VolflowClient({ baseUrl: url, projectId: 'theirs' })
  const { volume, operation } = await theirs.createVolume({ sizeBytes: MiB })
  await runToEnd(database, operation.id)
  const volumeId = volume?.id ?? ''
  const snapshot = await theirs.createSnapshot({ volumeId })
  await runToEnd(database, snapshot.operation.id)
  const backup = await theirs.createBackup({ volumeId, target: 'disk' })
  await runToEnd(database, backup.operation.id)
  const image = await theirs.createImage({ name: 'theirs', diskFormat: 'raw' })
  const schedule = await theirs.schedules.create({
    ...{ volumes: { ids: [volumeId] }, intervalSeconds: 3600 },
    ...{ name: 'theirs', target: 'disk' },
  })
  const { webhook } = await theirs.webhooks.create({ url: 'http://127.0.0.1:9/' })
  await theirs.webhooks.test(webhook.id)
  const ids = {
    ...{ operations: operation.id, images: image.id, volumes: volumeId },
    ...{ snapshots: snapshot.snapshot?.id ?? '', backups: backup.backup?.id ?? '' },
    ...{ schedules: schedule.id, webhooks: webhook.id },
  }
  const ask = (method: string, path: string, payload: string) =>
    app.inject({
      method: method.toUpperCase() as 'GET',
      url: `${BASE}${path}`,
      headers: {
        'x-project-id': 'ours',
        ...(payload !== '' &&
          method !== 'get' && {
            'content-type': payload === 'bytes' ? 'application/octet-stream' : 'application/json',
          }),
      },
      ...(payload !== '' && method !== 'get' && { payload }),
    })
  return { api, ids, ask }
}

async function contents(database: TestApi['database']) {
  const tables = ['operations', 'images', 'volumes', 'snapshots', 'backups', 'schedules', 'webhooks'] as const
  return Promise.all(
    tables.map((table) =>
      database
        .selectFrom(table as 'volumes')
        .selectAll()
        .orderBy('id')
        .execute(),
    ),
  )
}
