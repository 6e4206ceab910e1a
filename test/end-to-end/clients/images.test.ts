import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { expectClean } from '../../checker/check.ts'
import { fileSha256 } from '../../checker/volume-sha256.ts'
import { makeQcow2Image, makeRawImage } from '../../support/small-images.ts'
import { runSql } from '../run-sql.ts'
import { MiB, sha256OfVolume, until } from '../steps.ts'
import { Cloud, HAS_CLIENTS } from './cloud.ts'

const GiB = 1024 * MiB
const CONTENT = { sizeBytes: 8 * MiB, data: [{ offset: MiB, length: 3 * MiB, seed: 1 }] }
const ANN = { name: 'ann', password: 'the password of ann', project: 'lab' }
const CHOSEN_ID = '5f5f5f5f-0000-4000-8000-000000000001'

test.skipIf(!HAS_CLIENTS)(
  'Images live their lives through openstack and glance, and projects, users and roles through openstack',
  { timeout: 1_800_000 },
  async () => {
    const stores = {
      local: { driver: 'file', path: 'images' },
      second: { driver: 'file', path: 'second-images' },
    }
    await using cloud = await Cloud.start({ config: { stores } })
    const raw = join(cloud.installation.folder, 'content.raw')
    const sha256 = await makeRawImage(raw, CONTENT)
    const labId = await makeProject(cloud)
    await changeImage(cloud, raw, sha256)
    await share(cloud, labId, sha256)
    await viaVolume(cloud)
    await importImages(cloud, raw, sha256)
    await describeItself(cloud)
    await deleteAll(cloud)
    expect(cloud.commandCount).toBeGreaterThanOrEqual(60)
    const { dataFolder } = cloud.installation
    const places = { local: join(dataFolder, 'images'), second: join(dataFolder, 'second-images') }
    await expectClean({ ...cloud.installation.checked(), stores: places })
  },
)

/** With a member. Answers its id. */
async function makeProject(cloud: Cloud): Promise<string> {
  const { run, json } = cloud
  expect(await json`openstack token issue`).toMatchObject({ project_id: 'default' })
  const catalog: { Type: string }[] = await json`openstack catalog list`
  expect(catalog.map(({ Type }) => Type)).toContain('image')
  const lab = await json`openstack project create --description d lab`
  await run`openstack user create --password ${ANN.password} --project lab ann`
  await run`openstack role add --user ann --project lab member`
  await run`openstack project set --description e lab`
  expect(await json`openstack project show lab`).toMatchObject({ id: lab.id, description: 'e' })
  expect(await json`openstack role assignment list --user ann --names`).toMatchObject([{ Role: 'member' }])
  const robot = JSON.parse(await cloud.as(ANN)`openstack application credential create robot -f json`) as {
    project_id: string
  }
  expect(robot).toMatchObject({ project_id: lab.id })
  await cloud.as(ANN)`openstack application credential delete robot`
  return lab.id
}

async function changeImage(cloud: Cloud, raw: string, sha256: string): Promise<void> {
  const { run, json, refused } = cloud
  const { folder, dataFolder } = cloud.installation
  const made =
    await json`openstack image create --disk-format raw --file ${raw} --property a=b --tag one --min-ram 64 image`
  expect(made).toMatchObject({
    visibility: 'shared',
    tags: ['one'],
  })
  expect(await fileSha256(join(dataFolder, 'images/images', made.id))).toBe(sha256)
  const bytes = await readFile(raw)
  expect(cloud.column('images', 'checksum', made.id)).toBe(createHash('md5').update(bytes).digest('hex'))
  const found =
    await json`openstack image list --name image --status active --tag one --property a=b --sort name:asc`
  expect(found).toMatchObject([{ ID: made.id }])
  await run`openstack image set --name renamed --property c=d --tag two --min-disk 1 image`
  await run`openstack image unset --property a --tag one renamed`
  const shown = await json`openstack image show renamed`
  expect(shown).toMatchObject({ min_disk: 1, min_ram: 64, tags: ['two'], properties: { c: 'd' } })
  expect(shown.properties).not.toHaveProperty('a')
  await run`openstack image save --file ${join(folder, 'saved.raw')} renamed`
  expect(await fileSha256(join(folder, 'saved.raw'))).toBe(sha256)
  await run`openstack image set --protected renamed`
  expect(await refused`openstack image delete renamed`).toContain('protected')
  await run`openstack image set --unprotected renamed`
  await run`glance image-deactivate ${made.id}`
  expect(cloud.column('images', 'status', made.id)).toBe('deactivated')
  await run`openstack image set --activate renamed`
  expect(cloud.column('images', 'status', made.id)).toBe('active')
  await run`openstack image set --hidden renamed`
  expect(await json`openstack image list`).toEqual([])
  expect(await json`openstack image list --hidden`).toMatchObject([{ ID: made.id }])
  // Names of hidden ones are not found.
  await run`openstack image set --unhidden ${made.id}`
}

async function share(cloud: Cloud, labId: string, sha256: string): Promise<void> {
  const { run, json, rows } = cloud
  const ann = cloud.as(ANN)
  const names = async () => (await ann`openstack image list -f value -c Name`).split('\n').filter(Boolean)
  const id = String(cloud.column('images', 'id', 'renamed'))
  await run`openstack image add project renamed lab`
  expect(await json`openstack image member list renamed`).toMatchObject([
    { 'Member ID': labId, Status: 'pending' },
  ])
  expect(await names()).toEqual([])
  await ann`glance member-update ${id} ${labId} accepted`
  expect(await names()).toEqual(['renamed'])
  expect(await rows`glance member-list --image-id ${id}`).toMatchObject([{ Status: 'accepted' }])
  const saved = join(cloud.installation.folder, 'of-ann.raw')
  await ann`glance image-download --file ${saved} ${id}`
  expect(await fileSha256(saved)).toBe(sha256)
  await run`openstack image remove project renamed lab`
  expect(await names()).toEqual([])
  await run`openstack image set --public renamed`
  expect(await names()).toEqual(['renamed'])
  await run`openstack image set --shared renamed`
}

async function viaVolume(cloud: Cloud): Promise<void> {
  const { run, json, properties } = cloud
  const { installation } = cloud
  const path = join(installation.folder, 'disk.qcow2')
  const sha256 = await makeQcow2Image(path, { ...CONTENT, sizeBytes: GiB }, { compressed: true })
  const image =
    await properties`glance image-create --name disk --disk-format qcow2 --container-format bare --file ${path}`
  expect(image).toMatchObject({ status: 'active', virtual_size: String(GiB) })
  const volume = await json`openstack volume create --image disk --size 1 volume`
  await cloud.reaches('volumes', volume.id, 'available')
  expect(await sha256OfVolume(installation, volume.id)).toBe(sha256)
  await run`openstack image create --volume volume --disk-format qcow2 uploaded`
  await cloud.reaches('images', 'uploaded', 'active')
  const uploaded = String(cloud.column('images', 'id', 'uploaded'))
  const stored = join(installation.dataFolder, 'images/images', uploaded)
  const raw = join(installation.folder, 'uploaded.raw')
  await execa('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', stored, raw])
  expect(await fileSha256(raw)).toBe(sha256)
  await run`openstack volume delete volume`
  await cloud.reaches('volumes', volume.id, undefined)
}

async function importImages(cloud: Cloud, raw: string, sha256: string): Promise<void> {
  const { run, rows, properties, refused } = cloud
  const { dataFolder } = cloud.installation
  const inStore = (folder: string, id: string) => join(dataFolder, folder, 'images', id)
  const { id = '' } =
    await properties`glance image-create-via-import --name via --disk-format raw --container-format bare --file ${raw} --import-method glance-direct`
  await cloud.reaches('images', id, 'active')
  expect(await fileSha256(inStore('images', id))).toBe(sha256)
  expect(await rows`glance image-tasks ${id}`).toMatchObject([{ Status: 'success' }])
  await run`glance image-import ${id} --import-method copy-image --stores second`
  await until('the copy', () => existsSync(inStore('second-images', id)), 120_000, 100)
  expect(await fileSha256(inStore('second-images', id))).toBe(sha256)
  const stores = async () => (await properties`glance image-show ${id}`).stores
  await until('both stores', async () => (await stores())?.includes('second') === true, 120_000, 500)
  await run`glance stores-delete --store second ${id}`
  expect(await stores()).toBe('local')

  await run`glance image-create --name staged --disk-format raw --container-format bare --id ${CHOSEN_ID}`
  expect(cloud.column('images', 'status', CHOSEN_ID)).toBe('queued')
  await run`glance image-stage --file ${raw} ${CHOSEN_ID}`
  expect(cloud.column('images', 'status', CHOSEN_ID)).toBe('uploading')
  await run`glance image-import ${CHOSEN_ID} --import-method glance-direct --store local`
  await cloud.reaches('images', CHOSEN_ID, 'active')
  const { id: uploaded = '' } =
    await properties`glance image-create --name late --disk-format raw --container-format bare`
  await run`glance image-upload --file ${raw} ${uploaded}`
  await cloud.reaches('images', uploaded, 'active')
  expect(await fileSha256(inStore('images', uploaded))).toBe(sha256)
  expect(await refused`glance image-upload --file ${raw} ${uploaded}`).toContain('409')
}

async function describeItself(cloud: Cloud): Promise<void> {
  const { run, json, rows, properties } = cloud
  const id = String(cloud.column('images', 'id', 'late'))
  expect(await properties`glance image-update ${id} --property p=q --name later`).toMatchObject({
    ...{ p: 'q', name: 'later' },
  })
  expect(await properties`glance image-update ${id} --remove-property p`).not.toHaveProperty('p')
  await run`glance image-tag-update ${id} t`
  expect(await rows`glance image-list --tag t`).toMatchObject([{ ID: id }])
  await run`glance image-tag-delete ${id} t`
  expect(runSql(cloud.installation, 'select tag as value from image_tags where image_id = ?', [id])).toEqual(
    [],
  )
  const [methods] = await rows`glance import-info`
  expect(methods?.Property).toBe('import-methods')
  expect(await run`glance stores-info`).toContain('second')
  expect(await run`glance usage`).toContain('image_size_total')
  expect((await rows`glance task-list`).length).toBeGreaterThanOrEqual(3)
  expect(await run`glance explain image`).toContain('os_hash_value')
  expect(await rows`glance md-namespace-list`).toEqual([])
  expect((await json`openstack service list`).length).toBeGreaterThan(2)
  expect((await json`openstack endpoint list`).length).toBeGreaterThan(2)
  expect((await json`openstack versions show`).length).toBeGreaterThan(2)
}

async function deleteAll(cloud: Cloud): Promise<void> {
  const { run, json } = cloud
  await run`openstack image delete renamed disk uploaded`
  await run`glance image-delete ${CHOSEN_ID} ${String(cloud.column('images', 'id', 'via'))}`
  await run`openstack image delete later`
  expect(await json`openstack image list`).toEqual([])
  const rows = () => runSql(cloud.installation, 'select id as value from images')
  await until('no images', () => rows().length === 0, 120_000, 100)
  await run`openstack role remove --user ann --project lab member`
  await run`openstack user delete ann`
  await run`openstack project delete lab`
  expect(await json`openstack project list`).toMatchObject([{ Name: 'admin' }])
  const { id: token } = await json`openstack token issue`
  await run`openstack token revoke ${token}`
}
