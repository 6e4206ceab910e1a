/** Backups as `openstack` and `cinder` make and restore them, of volumes on whatever backend, and what an administrator looks after. */
import { join } from 'node:path'
import { expect } from 'vitest'
import { expectClean } from '../../checker/check.ts'
import { openObjects } from '../../checker/repository/objects.ts'
import { restoreSha256 } from '../../checker/repository/restore.ts'
import { makeQcow2Image } from '../../support/small-images.ts'
import { runSql } from '../run-sql.ts'
import { MiB } from '../steps.ts'
import { Cloud } from './cloud.ts'
import type { Disks } from './disks.ts'

const GiB = 1024 * MiB
const FIRST = { sizeBytes: GiB, data: [{ offset: MiB, length: 5 * MiB, seed: 1 }] }
const SECOND = {
  sizeBytes: GiB,
  data: [...FIRST.data, { offset: 900 * MiB, length: MiB, seed: 2 }],
}

const QUOTAS = { volumes: 10, gigabytes: 1000, snapshots: 10, backups: 10, backup_gigabytes: 1000 }

type Places = Omit<Disks, 'backends'>

/** Only `here`. */
export async function backupJourney({ backends: { here }, ...disks }: Disks): Promise<void> {
  await using cloud = await Cloud.start({ config: { quotas: QUOTAS, backends: { here } } })
  await backUp(cloud, disks)
  await administrateTypes(cloud)
  await readMessages(cloud)
  await limit(cloud)
  await lookAtServices(cloud)
  // Of the journey's 80 and more, volume-journey.ts and images.test.ts count the others.
  expect(cloud.commandCount).toBeGreaterThanOrEqual(60)
  const { backends, rbdBackends } = disks.checked(cloud.installation)
  await expectClean({
    ...cloud.installation.checked(),
    backends: only('here', backends),
    ...(rbdBackends !== undefined && { rbdBackends: only('here', rbdBackends) }),
  })
}

function only<T>(name: string, values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => key === name))
}

async function backUp(cloud: Cloud, disks: Places): Promise<void> {
  const { run, json, rows, properties } = cloud
  const { installation } = cloud
  const { targets, backupKeyFile } = installation.checked()
  const { local: target } = targets
  if (target === undefined) throw new Error('Expected the target local')
  const contentOf = (backupId: string) =>
    restoreSha256({ target, backupKeyFile, domain: 'default', backupId })
  const upload = async (name: string, content: typeof FIRST) => {
    const path = join(installation.folder, `${name}.qcow2`)
    const sha256 = await makeQcow2Image(path, content)
    const { id } = await json`openstack image create --disk-format qcow2 --file ${path} ${name}`
    return { id: String(id), sha256 }
  }
  const first = await upload('first', FIRST)
  const second = await upload('second', SECOND)
  const { id: volumeId } = await json`openstack volume create --image first --size 1 data`
  await cloud.reaches('volumes', volumeId, 'available')
  const full = await json`openstack volume backup create --name full data`
  await cloud.reaches('backups', full.id, 'available')
  expect(await contentOf(full.id)).toBe(first.sha256)
  await run`cinder --os-volume-api-version 3.68 reimage data ${second.id}`
  await cloud.reaches('volumes', volumeId, 'available')
  const { id: incremental = '' } =
    await properties`cinder backup-create data --name incremental --incremental --metadata a=b`
  await cloud.reaches('backups', incremental, 'available')
  expect(await contentOf(incremental)).toBe(second.sha256)
  const parent = cloud.column('backups', 'parent_id', incremental)
  expect(parent).toBe(full.id)

  expect(await rows`cinder backup-list --sort name:asc`).toMatchObject([
    { Name: 'full', 'Volume ID': volumeId, Status: 'available' },
    { Name: 'incremental', 'Volume ID': volumeId },
  ])
  expect(await json`openstack volume backup list --volume data --name full`).toMatchObject([{ ID: full.id }])
  await run`openstack volume backup set --description d --property k=v --name renamed full`
  await run`openstack volume backup unset --property k renamed`
  await run`cinder backup-update renamed --name full`
  expect(await json`openstack volume backup show full`).toMatchObject({
    ...{ description: 'd', metadata: {}, is_incremental: false, has_dependent_backups: true, size: 1 },
  })
  expect(await properties`cinder backup-show incremental`).toMatchObject({ is_incremental: 'True' })
  await restore(cloud, disks, { full: full.id, incremental, first: first.sha256, second: second.sha256 })
  await exchange(cloud, disks, incremental, second.sha256)

  await run`cinder backup-reset-state --state error full`
  expect(cloud.column('backups', 'status', 'full')).toBe('error')
  await run`cinder backup-delete --force full`
  await run`openstack volume backup delete incremental`
  await cloud.reaches('backups', full.id, undefined)
  await cloud.reaches('backups', incremental, undefined)
  const objects = openObjects(target)
  const left = [...(await objects.list()).keys()].filter((key) => key.includes(full.id))
  objects.close()
  expect(left).toEqual([])
}

async function restore(
  cloud: Cloud,
  disks: Places,
  { full, incremental, first, second }: Record<'full' | 'incremental' | 'first' | 'second', string>,
): Promise<void> {
  const { run, properties } = cloud
  const { installation } = cloud
  const { volume_id: restored = '' } = await properties`cinder backup-restore ${incremental} --name restored`
  await cloud.reaches('volumes', restored, 'available')
  expect(await disks.volumeSha256(installation, restored)).toBe(second)
  await run`cinder backup-restore ${full} --volume restored`
  await cloud.reaches('volumes', restored, 'available')
  expect(await disks.volumeSha256(installation, restored)).toBe(first)
  const { id = '' } = await properties`cinder create --backup-id ${incremental} --name from-backup 1`
  await cloud.reaches('volumes', id, 'available')
  expect(await disks.volumeSha256(installation, id)).toBe(second)
  await run`cinder delete restored from-backup`
  for (const name of [restored, id]) await cloud.reaches('volumes', name, undefined)
}

/** The record of a backup goes out and comes in again, after the database has lost the backup. */
async function exchange(cloud: Cloud, disks: Places, backupId: string, sha256: string): Promise<void> {
  const { json, properties } = cloud
  const { installation } = cloud
  const exported = await json`openstack volume backup record export ${backupId}`
  expect(await properties`cinder backup-export ${backupId}`).toEqual(exported)
  runSql(installation, 'delete from backups where id = ? returning id as value', [backupId])
  const { id } = await properties`cinder backup-import ${exported.backup_service} ${exported.backup_url}`
  expect(id).toBe(backupId)
  await cloud.reaches('backups', backupId, 'available')
  const { volume_id: restored = '' } = await properties`cinder backup-restore ${backupId} --name imported`
  await cloud.reaches('volumes', restored, 'available')
  expect(await disks.volumeSha256(installation, restored)).toBe(sha256)
  await cloud.run`openstack volume delete imported`
  await cloud.reaches('volumes', restored, undefined)
}

async function administrateTypes(cloud: Cloud): Promise<void> {
  const { run, json, rows, properties, refused } = cloud
  const lab = await json`openstack project create lab`
  const fast =
    await json`openstack volume type create --description d --property volume_backend_name=here fast`
  await run`openstack volume type set --property tier=1 fast`
  expect(await json`openstack volume type show fast`).toMatchObject({
    ...{ description: 'd', properties: { volume_backend_name: 'here', tier: '1' } },
  })
  await run`openstack volume type unset --property tier fast`
  await run`cinder type-key fast set speed=high`
  const specs = (await rows`cinder extra-specs-list`).find(({ ID }) => ID === fast.id)?.extra_specs
  expect(specs).toContain("'speed': 'high'")
  expect(specs).toContain("'volume_backend_name': 'here'")
  await run`cinder type-key fast unset speed`
  expect(await rows`cinder type-update fast --name faster --is-public false`).toMatchObject([
    { Name: 'faster', Description: 'd', Is_Public: 'False' },
  ])
  await run`openstack volume type set --project lab faster`
  expect(await rows`cinder type-access-list --volume-type faster`).toMatchObject([{ Project_ID: lab.id }])
  await run`cinder type-access-remove --volume-type faster --project-id ${lab.id}`
  await run`cinder type-access-add --volume-type faster --project-id default`
  await run`cinder encryption-type-create --cipher aes-xts-plain64 --key-size 256 faster luks`
  expect(await rows`cinder encryption-type-list`).toMatchObject([{ Provider: 'luks', 'Key Size': '256' }])
  await run`cinder encryption-type-delete faster`
  await run`cinder default-type-set faster ${lab.id}`
  expect(await rows`cinder default-type-list`).toMatchObject([{ 'Project ID': lab.id }])
  await run`cinder default-type-unset ${lab.id}`
  expect(await rows`cinder type-default`).toMatchObject([{ Name: '__DEFAULT__' }])
  await run`openstack volume set --type faster --retype-policy never data`
  await cloud.reaches('volumes', 'data', 'available')
  expect(cloud.column('volumes', 'volume_type', 'data')).toBe('faster')
  expect(await properties`cinder type-show faster`).toMatchObject({ is_public: 'False' })
  expect(await refused`openstack volume type delete faster`).toContain('faster')
  await run`cinder retype data __DEFAULT__`
  await cloud.reaches('volumes', 'data', 'available')
  await run`openstack volume type delete faster`
  expect(await json`openstack volume type list`).toMatchObject([{ Name: '__DEFAULT__' }])
}

/** Of a volume that no backend can hold. */
async function readMessages(cloud: Cloud): Promise<void> {
  const { run, json, rows } = cloud
  await run`openstack volume type create --property volume_backend_name=nowhere nowhere`
  const { id } = await json`openstack volume create --size 1 --type nowhere lost`
  expect(cloud.column('volumes', 'status', id)).toBe('error')
  const [message] = await rows`cinder message-list --resource_uuid ${id}`
  expect(message).toMatchObject({ 'Resource Type': 'VOLUME', 'Resource UUID': id })
  expect(message?.['User Message']).toContain('No valid backend was found')
  const messageId = message?.ID ?? ''
  expect(await json`openstack volume message show ${messageId}`).toMatchObject({ resource_uuid: id })
  await run`openstack volume message delete ${messageId}`
  expect(await json`openstack volume message list`).toEqual([])
  await run`openstack volume delete lost`
  await cloud.reaches('volumes', id, undefined)
  await run`cinder type-delete nowhere`
}

async function limit(cloud: Cloud): Promise<void> {
  const { run, rows, properties, refused } = cloud
  expect(await properties`cinder quota-defaults default`).toMatchObject({ volumes: '10', gigabytes: '1000' })
  await run`cinder quota-update default --volumes 2 --gigabytes 3`
  expect(await properties`cinder quota-show default`).toMatchObject({ volumes: '2', gigabytes: '3' })
  expect(await refused`openstack volume create --size 3 large`).toContain('exceeds allowed gigabytes quota')
  expect(await refused`cinder extend data 4`).toContain('exceeds allowed gigabytes quota')
  const usage = await rows`cinder quota-usage default`
  expect(usage.find(({ Type }) => Type === 'volumes')).toMatchObject({ In_use: '1', Limit: '2' })
  const limits = await properties`cinder absolute-limits`
  expect(limits).toMatchObject({ maxTotalVolumes: '2', totalGigabytesUsed: '1' })
  await run`cinder quota-delete default`
  await run`cinder quota-class-update default --volumes 30`
  expect(await properties`cinder quota-class-show default`).toMatchObject({
    volumes: '30',
    gigabytes: '1000',
  })
  const kept = runSql(cloud.installation, 'select count(*) as value from volumes')
  expect(kept.map(({ value }) => Number(value))).toEqual([1])
}

async function lookAtServices(cloud: Cloud): Promise<void> {
  const { run, json, rows, properties } = cloud
  const states = async () => {
    const all: { Binary: string; Status: string }[] = await json`openstack volume service list`
    return Object.fromEntries(all.map(({ Binary, Status }) => [Binary, Status]))
  }
  const enabled = { 'cinder-scheduler': 'enabled', 'cinder-backup': 'enabled' }
  expect(await states()).toEqual({ ...enabled, 'cinder-volume': 'enabled' })
  await run`openstack volume service set --disable --disable-reason broken volflow@here cinder-volume`
  expect(await states()).toEqual({ ...enabled, 'cinder-volume': 'disabled' })
  await run`openstack volume service set --enable volflow@here cinder-volume`
  expect(await properties`cinder get-pools --detail`).toMatchObject({
    ...{ name: 'volflow@here#here', volume_backend_name: 'here', backend_state: 'up' },
  })
  expect(await properties`cinder get-capabilities volflow@here`).toMatchObject({ pool_name: 'here' })
  expect(await json`openstack availability zone list --volume`).toEqual([
    { 'Zone Name': 'nova', 'Zone Status': 'available' },
  ])
  expect(await rows`cinder list-filters --resource snapshot`).toMatchObject([{ Resource: 'snapshot' }])
  expect((await json`openstack extension list --volume`).length).toBeGreaterThan(10)
  expect(await rows`cinder api-version`).toMatchObject([{ Version: '3.71', Min_version: '3.0' }])
  await run`cinder work-cleanup`
}
