import { expect, test } from 'vitest'
import { type CinderApi, NOWHERE, startCinder } from './cinder-api.ts'

interface Transfer {
  readonly id: string
  readonly auth_key: string
}

const THERE = { project: 'p2' }

async function offer(api: CinderApi, path: string, fields: object): Promise<Transfer> {
  const body = await api.ok(202, 'POST', path, { transfer: fields })
  return (body as { transfer: Transfer }).transfer
}

test.for(['/os-volume-transfer', '/volume-transfers'])(
  'A volume changes its project with its snapshots at %s',
  async (path) => {
    const api = await startCinder()
    const volume_id = await api.volume()
    const snapshotId = await api.snapshot(volume_id)
    const transfer = await offer(api, path, { volume_id, name: 't' })
    expect(transfer.auth_key).toMatch(/^[0-9a-f]{24}$/)
    expect(await api.ok(200, 'GET', `/volumes/${volume_id}`)).toMatchObject({
      volume: { status: 'awaiting-transfer' },
    })
    await api.refused(400, 'POST', path, { transfer: { volume_id } })
    expect(await api.ok(200, 'GET', `${path}/detail?sort=display_name:asc`)).toMatchObject({
      transfers: [{ id: transfer.id, name: 't', volume_id, source_project_id: 'p1', accepted: false }],
    })
    expect(await api.ok(200, 'GET', `${path}/${transfer.id}`)).not.toHaveProperty('transfer.auth_key')
    const accept = (auth_key: string) =>
      api.call('POST', `${path}/${transfer.id}/accept`, { accept: { auth_key } }, THERE)
    expect(await accept('0'.repeat(24))).toMatchObject({ status: 400 })
    expect(await accept(transfer.auth_key)).toMatchObject({ status: 202, body: { transfer: { volume_id } } })
    expect(await accept(transfer.auth_key)).toMatchObject({ status: 404 })
    const owners = await api.database.selectFrom('snapshots').select(['id', 'projectId']).execute()
    expect(owners).toEqual([{ id: snapshotId, projectId: 'p2' }])
    expect((await api.call('GET', '/volumes/detail', undefined, THERE)).body).toMatchObject({
      volumes: [{ id: volume_id, status: 'available', 'os-vol-tenant-attr:tenant_id': 'p2' }],
    })
    expect(await api.ok(200, 'GET', '/volumes')).toEqual({ volumes: [] })
  },
)

test('Snapshots stay behind when they are left out, and an offer is taken back', async () => {
  const api = await startCinder()
  const volume_id = await api.volume()
  await api.snapshot(volume_id)
  const kept = await offer(api, '/volume-transfers', { volume_id, no_snapshots: true })
  const accept = { accept: { auth_key: kept.auth_key } }
  await api.call('POST', `/volume-transfers/${kept.id}/accept`, accept, THERE)
  expect(await api.database.selectFrom('snapshots').select('projectId').execute()).toEqual([
    { projectId: 'p1' },
  ])
  const other = await api.volume()
  const { id } = await offer(api, '/volume-transfers', { volume_id: other })
  await api.ok(202, 'DELETE', `/volume-transfers/${id}`)
  expect(await api.ok(200, 'GET', `/volumes/${other}`)).toMatchObject({ volume: { status: 'available' } })
  await api.refused(404, 'DELETE', `/volume-transfers/${id}`)
  await api.refused(404, 'POST', '/volume-transfers', { transfer: { volume_id: NOWHERE } })
  await api.refused(404, 'GET', '/volume-transfers', undefined, { version: '3.54' })
})
