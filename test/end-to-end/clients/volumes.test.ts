import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { volumeSha256 } from '../../checker/volume-sha256.ts'
import { makeQcow2Image, makeRawImage } from '../../support/small-images.ts'
import { MiB, sha256OfVolume } from '../steps.ts'
import { Cloud, HAS_CLIENTS } from './cloud.ts'

const GiB = 1024 * MiB
const BASE = { sizeBytes: GiB, data: [{ offset: 5 * MiB, length: 3 * MiB + 512, seed: 1 }] }
const OTHER = { sizeBytes: GiB, data: [{ offset: 0, length: 2 * MiB, seed: 2 }] }
const SERVER = '11111111-2222-4333-8444-555555555555'
const ANN = { name: 'ann', password: 'the password of ann', project: 'lab' }

test.skipIf(!HAS_CLIENTS)(
  'Volumes and snapshots live their lives through openstack and cinder',
  { timeout: 1_800_000 },
  async () => {
    const backends = {
      files: { driver: 'file', path: 'volumes' },
      more: { driver: 'file', path: 'more-volumes' },
    }
    await using cloud = await Cloud.start({ config: { backends } })
    // So that all begins in the other backend.
    await cloud.run`cinder service-disable volflow@more cinder-volume`
    await changeVolume(cloud)
    const sha256 = await makeFromImage(cloud)
    await snapshot(cloud, sha256)
    await give(cloud)
    // Of the journey's 80 and more, backups.test.ts and images.test.ts count the others.
    expect(cloud.commandCount).toBeGreaterThanOrEqual(45)
  },
)

async function changeVolume(cloud: Cloud): Promise<void> {
  const { run, json, rows, properties } = cloud
  const made = await json`openstack volume create --size 1 --description first --property a=b data`
  expect(made).toMatchObject({
    ...{ status: 'creating', size: 1, properties: { a: 'b' }, bootable: 'false' },
  })
  await cloud.reaches('volumes', made.id, 'available')
  expect(await json`openstack volume show data`).toMatchObject({
    'os-vol-host-attr:host': 'volflow@files#files',
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
  const path = join(cloud.installation.volumeFolder(made.id), '0.raw')
  const { stdout } = await execa('qemu-img', ['info', '-f', 'raw', '--output', 'json', path])
  expect(JSON.parse(stdout)).toMatchObject({ 'virtual-size': 3 * GiB })
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
async function makeFromImage(cloud: Cloud): Promise<string> {
  const { run, json, properties } = cloud
  const { installation } = cloud
  const path = (name: string) => join(installation.folder, name)
  const sha256 = await makeQcow2Image(path('base.qcow2'), BASE)
  await run`openstack image create --disk-format qcow2 --property os_distro=debian --file ${path('base.qcow2')} base`
  const root = await json`openstack volume create --image base --size 1 root`
  await cloud.reaches('volumes', root.id, 'available')
  expect(await sha256OfVolume(installation, root.id)).toBe(sha256)
  expect(Number(cloud.column('volumes', 'bootable', 'root'))).toBe(1)
  expect(await properties`cinder image-metadata-show root`).toMatchObject({ os_distro: 'debian' })
  await run`openstack volume set --image-property os_distro=other root`
  await run`openstack volume unset --image-property os_distro root`
  const kept = JSON.parse(String(cloud.column('volumes', 'volume_image_metadata', 'root'))) as object
  expect(kept).toMatchObject({ disk_format: 'qcow2' })
  expect(kept).not.toHaveProperty('os_distro')
  return sha256
}

async function snapshot(cloud: Cloud, sha256: string): Promise<void> {
  const { run, json, rows, properties, refused } = cloud
  const { installation } = cloud
  const made = await json`openstack volume snapshot create --volume root --description d --property x=y snap`
  await cloud.reaches('snapshots', made.id, 'available')
  const rootId = made.volume_id
  expect(await volumeSha256(installation.snapshotFolder(rootId, made.id))).toBe(sha256)
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
  expect(await sha256OfVolume(installation, clone.id)).toBe(sha256)
  const reference = join(installation.folder, 'reference.raw')
  const largerSha256 = await makeRawImage(reference, { ...BASE, sizeBytes: 2 * GiB })
  expect(await sha256OfVolume(installation, larger.id)).toBe(largerSha256)

  const otherPath = join(installation.folder, 'other.qcow2')
  const otherSha256 = await makeQcow2Image(otherPath, OTHER)
  await run`openstack image create --disk-format qcow2 --file ${otherPath} other`
  const otherId = String(cloud.column('images', 'id', 'other'))
  await run`cinder --os-volume-api-version 3.68 reimage root ${otherId}`
  await cloud.reaches('volumes', rootId, 'available')
  expect(await sha256OfVolume(installation, rootId)).toBe(otherSha256)
  await run`cinder revert-to-snapshot snap`
  await cloud.reaches('volumes', rootId, 'available')
  expect(await sha256OfVolume(installation, rootId)).toBe(sha256)

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
