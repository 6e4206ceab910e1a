/** The lives of volumes and snapshots as `openstack` and `cinder` lead them, on whatever backends. */
import { join } from 'node:path'
import { expect } from 'vitest'
import { expectClean } from '../../checker/check.ts'
import { makeQcow2Image, makeRawImage } from '../../support/small-images.ts'
import { MiB, until } from '../steps.ts'
import { Cloud } from './cloud.ts'
import type { Disks } from './disks.ts'

const GiB = 1024 * MiB
const BASE = { sizeBytes: GiB, data: [{ offset: 5 * MiB, length: 3 * MiB + 512, seed: 1 }] }
const OTHER = { sizeBytes: GiB, data: [{ offset: 0, length: 2 * MiB, seed: 2 }] }
const SERVER = '11111111-2222-4333-8444-555555555555'
const ANN = { name: 'ann', password: 'the password of ann', project: 'lab' }

type Places = Omit<Disks, 'backends'>

export async function volumeJourney({ backends, ...disks }: Disks): Promise<void> {
  await using cloud = await Cloud.start({ config: { backends } })
  // So that all begins in the other backend.
  await cloud.run`cinder service-disable volflow@there cinder-volume`
  await changeVolume(cloud, disks)
  const sha256 = await makeFromImage(cloud, disks)
  await snapshot(cloud, disks, sha256)
  await give(cloud)
  await attach(cloud, disks)
  await giveUpAndTakeBack(cloud, disks)
  await move(cloud, disks, sha256)
  await deleteAll(cloud)
  // Of the journey's 80 and more, backups.test.ts and images.test.ts count the others.
  expect(cloud.commandCount).toBeGreaterThanOrEqual(60)
  await expectClean({ ...cloud.installation.checked(), ...disks.checked(cloud.installation) })
}

async function changeVolume(cloud: Cloud, disks: Places): Promise<void> {
  const { run, json, rows, properties } = cloud
  const made = await json`openstack volume create --size 1 --description first --property a=b data`
  expect(made).toMatchObject({
    ...{ status: 'creating', size: 1, properties: { a: 'b' }, bootable: 'false' },
  })
  await cloud.reaches('volumes', made.id, 'available')
  expect(await json`openstack volume show data`).toMatchObject({
    'os-vol-host-attr:host': 'volflow@here#here',
  })
  expect(await json`openstack volume list --long --name data --status available`).toMatchObject([
    { ID: made.id, Size: 1, Properties: { a: 'b' } },
  ])
  expect(await json`openstack volume list --status error`).toEqual([])
  expect(await rows`cinder list --metadata a=b --sort name:asc --limit 5`).toMatchObject([{ Name: 'data' }])
  expect(await rows`cinder list --filters name~=at`).toMatchObject([{ Name: 'data' }])
  expect(await rows`cinder list --metadata a=c`).toEqual([])
  await run`openstack volume set --property c=d --description second --name named data`
  await run`openstack volume unset --property a named`
  expect(await json`openstack volume show named`).toMatchObject({
    ...{ id: made.id, description: 'second', properties: { c: 'd' } },
  })
  const column = (name: string) => cloud.column('volumes', name, made.id)
  expect(JSON.parse(String(column('metadata')))).toEqual({ c: 'd' })
  await run`openstack volume set --size 2 named`
  await cloud.reaches('volumes', made.id, 'available')
  await run`cinder extend named 3`
  await cloud.reaches('volumes', made.id, 'available')
  expect(Number(column('size_bytes'))).toBe(3 * GiB)
  expect(await disks.sizeBytes(cloud.installation, made.id)).toBe(3 * GiB)
  await run`cinder rename named data --description third`
  await run`cinder metadata data set e=f`
  expect(await properties`cinder metadata-show data`).toEqual({ c: 'd', e: 'f' })
  expect(await properties`cinder metadata-update-all data g=h`).toEqual({ g: 'h' })
  expect([column('name'), column('description')]).toEqual(['data', 'third'])
  await run`cinder set-bootable data true`
  await run`openstack volume set --read-only data`
  expect([Number(column('bootable')), Number(column('read_only'))]).toEqual([1, 1])
  await run`cinder readonly-mode-update data false`
  expect(Number(column('read_only'))).toBe(0)
  expect(await properties`cinder summary`).toMatchObject({ total_count: '1', total_size: '3' })
}

/** Answers what is in the volume `root`. */
async function makeFromImage(cloud: Cloud, disks: Places): Promise<string> {
  const { run, json, properties } = cloud
  const { installation } = cloud
  const path = (name: string) => join(installation.folder, name)
  const sha256 = await makeQcow2Image(path('base.qcow2'), BASE)
  await run`openstack image create --disk-format qcow2 --property os_distro=debian --file ${path('base.qcow2')} base`
  const root = await json`openstack volume create --image base --size 1 root`
  await cloud.reaches('volumes', root.id, 'available')
  expect(await disks.volumeSha256(installation, root.id)).toBe(sha256)
  expect(Number(cloud.column('volumes', 'bootable', 'root'))).toBe(1)
  expect(await properties`cinder image-metadata-show root`).toMatchObject({ os_distro: 'debian' })
  await run`openstack volume set --image-property os_distro=other root`
  await run`openstack volume unset --image-property os_distro root`
  const kept = JSON.parse(String(cloud.column('volumes', 'volume_image_metadata', 'root'))) as object
  expect(kept).toMatchObject({ disk_format: 'qcow2' })
  expect(kept).not.toHaveProperty('os_distro')
  return sha256
}

async function snapshot(cloud: Cloud, disks: Places, sha256: string): Promise<void> {
  const { run, json, rows, properties, refused } = cloud
  const { installation } = cloud
  const made = await json`openstack volume snapshot create --volume root --description d --property x=y snap`
  await cloud.reaches('snapshots', made.id, 'available')
  const rootId = made.volume_id
  expect(await disks.snapshotSha256(installation, rootId, made.id)).toBe(sha256)
  await run`openstack volume snapshot set --name snap-2 --property z=1 snap`
  await run`openstack volume snapshot unset --property x snap-2`
  expect(await json`openstack volume snapshot show snap-2`).toMatchObject({
    ...{ description: 'd', size: 1, properties: { z: '1' }, status: 'available' },
  })
  expect(await json`openstack volume snapshot list --volume root`).toMatchObject([{ Name: 'snap-2' }])
  await run`cinder snapshot-rename snap-2 snap`
  await run`cinder snapshot-metadata snap set q=r`
  expect(await properties`cinder snapshot-metadata-show snap`).toEqual({ z: '1', q: 'r' })
  expect(await rows`cinder snapshot-list --volume-id ${rootId}`).toMatchObject([{ Name: 'snap', Size: '1' }])

  const larger = await json`openstack volume create --snapshot snap --size 2 from-snapshot`
  const clone = await json`openstack volume create --source root clone`
  await cloud.reaches('volumes', larger.id, 'available')
  await cloud.reaches('volumes', clone.id, 'available')
  expect(await disks.volumeSha256(installation, clone.id)).toBe(sha256)
  const reference = join(installation.folder, 'reference.raw')
  const largerSha256 = await makeRawImage(reference, { ...BASE, sizeBytes: 2 * GiB })
  expect(await disks.volumeSha256(installation, larger.id)).toBe(largerSha256)

  const otherPath = join(installation.folder, 'other.qcow2')
  const otherSha256 = await makeQcow2Image(otherPath, OTHER)
  await run`openstack image create --disk-format qcow2 --file ${otherPath} other`
  const otherId = String(cloud.column('images', 'id', 'other'))
  await run`cinder --os-volume-api-version 3.68 reimage root ${otherId}`
  await cloud.reaches('volumes', rootId, 'available')
  expect(await disks.volumeSha256(installation, rootId)).toBe(otherSha256)
  await run`cinder revert-to-snapshot snap`
  await cloud.reaches('volumes', rootId, 'available')
  expect(await disks.volumeSha256(installation, rootId)).toBe(sha256)

  await run`cinder snapshot-reset-state --state error snap`
  expect(cloud.column('snapshots', 'status', 'snap')).toBe('error')
  await run`cinder snapshot-reset-state --state available snap`
  expect(await refused`openstack volume delete root`).toContain('snapshots')
}

/** To another project, and back off from giving a second time. */
async function give(cloud: Cloud): Promise<void> {
  const { run, json, rows, properties, refused } = cloud
  const ann = cloud.as(ANN)
  const lab = await json`openstack project create lab`
  await run`openstack user create --password ${ANN.password} --project lab ann`
  await run`openstack role add --user ann --project lab member`
  expect((await ann`openstack volume list -f value`).trim()).toBe('')
  expect(await refused`cinder transfer-accept ${SERVER} 0000`).toContain(SERVER)
  const gift = await properties`cinder transfer-create clone --name gift`
  expect(cloud.column('volumes', 'claim', 'clone')).toBe('awaiting-transfer')
  expect(await rows`cinder transfer-list --sort name:asc`).toMatchObject([{ ID: gift.id, Name: 'gift' }])
  expect(await json`openstack volume transfer request show gift`).toMatchObject({ volume_id: gift.volume_id })
  await ann`cinder transfer-accept ${gift.id ?? ''} ${gift.auth_key ?? ''}`
  expect(cloud.column('volumes', 'project_id', 'clone')).toBe(lab.id)
  expect(await ann`openstack volume list -f value -c Name`).toBe('clone')
  expect(await rows`cinder list --all-tenants --tenant ${lab.id}`).toMatchObject([{ Name: 'clone' }])
  await ann`openstack volume delete clone`
  await cloud.reaches('volumes', 'clone', undefined)
  const { id } = await json`openstack volume transfer request create --name again data`
  expect(await json`openstack volume transfer request list`).toMatchObject([{ ID: id }])
  await run`openstack volume transfer request delete ${id}`
  expect(cloud.column('volumes', 'claim', 'data')).toBe(null)
}

async function attach(cloud: Cloud, disks: Places): Promise<void> {
  const { run, json, rows, properties, refused } = cloud
  const { id = '' } = await properties`cinder attachment-create data ${SERVER}`
  expect(await rows`cinder attachment-list`).toMatchObject([{ ID: id, Status: 'reserved' }])
  const connected =
    await properties`cinder attachment-update ${id} --host node-1 --ip 127.0.0.1 --ostype linux`
  expect(JSON.stringify(connected)).toContain(disks.connection)
  await run`cinder attachment-complete ${id}`
  expect(await json`openstack volume show data`).toMatchObject({
    ...{ status: 'in-use', attachments: [{ attachment_id: id, server_id: SERVER }] },
  })
  expect(await refused`openstack volume delete data`).toMatch(/in use/)
  expect(await properties`cinder attachment-show ${id}`).toMatchObject({ status: 'attached' })
  await run`cinder attachment-delete ${id}`
  await cloud.reaches('volumes', 'data', 'available')
}

async function giveUpAndTakeBack(cloud: Cloud, disks: Places): Promise<void> {
  const id = String(cloud.column('volumes', 'id', 'data'))
  await cloud.run`cinder unmanage data`
  await cloud.reaches('volumes', id, undefined)
  await cloud.run`cinder manage volflow@here#here ${disks.sourceName(id)} --name data`
  await cloud.reaches('volumes', 'data', 'available')
  expect(Number(cloud.column('volumes', 'size_bytes', 'data'))).toBe(3 * GiB)
}

async function move(cloud: Cloud, disks: Places, sha256: string): Promise<void> {
  const { run, json } = cloud
  const { id } = await json`openstack volume create --source root moving`
  await cloud.reaches('volumes', id, 'available')
  await run`openstack volume service set --enable volflow@there cinder-volume`
  await run`openstack volume migrate --host volflow@there#there moving`
  await until('its move', () => cloud.column('volumes', 'backend', id) === 'there', 120_000, 100)
  await cloud.reaches('volumes', id, 'available')
  expect(await disks.volumeSha256(cloud.installation, id, 'there')).toBe(sha256)
}

async function deleteAll(cloud: Cloud): Promise<void> {
  const { run, json } = cloud
  await run`cinder reset-state --state error moving`
  expect(cloud.column('volumes', 'status', 'moving')).toBe('error')
  await run`openstack volume delete --force moving`
  await run`cinder force-delete data`
  await run`cinder delete from-snapshot`
  for (const name of ['moving', 'data', 'from-snapshot']) await cloud.reaches('volumes', name, undefined)
  await run`openstack volume delete --purge root`
  await cloud.reaches('volumes', 'root', undefined)
  expect(cloud.column('snapshots', 'id', 'snap')).toBeUndefined()
  expect(await json`openstack volume list --all-projects`).toEqual([])
  await run`openstack image delete base other`
  for (const name of ['base', 'other']) await cloud.reaches('images', name, undefined)
}
