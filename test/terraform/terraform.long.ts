import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { locate } from '../../scripts/setup/locate.ts'
import { expectClean } from '../checker/check.ts'
import { Cloud, HAS_CLIENTS, type Json } from '../end-to-end/clients/cloud.ts'
import { runSql } from '../end-to-end/run-sql.ts'
import { MiB, sha256OfVolume } from '../end-to-end/steps.ts'
import { makeQcow2Image } from '../support/small-images.ts'

const GiB = 1024 * MiB
const CONTENT = { sizeBytes: GiB, data: [{ offset: MiB, length: 3 * MiB, seed: 1 }] }
const TERRAFORM = locate('terraform')
/** The folder with a `terraform-provider-openstack`, which no package registry that the set-up uses has. */
const PROVIDER_FOLDER = process.env.VOLFLOW_TERRAFORM_PROVIDER
/** Of `plan -detailed-exitcode`. */
const NOTHING_TO_DO = 0
const CHANGES = 2

type Variables = Readonly<Record<string, string>>

test('Terraform applies, changes, plans nothing afterwards, and destroys', async () => {
  expect({ TERRAFORM, PROVIDER_FOLDER, HAS_CLIENTS }, 'docs/openstack.md says how to get them').toEqual({
    ...{ TERRAFORM: expect.any(String) as string, PROVIDER_FOLDER: expect.any(String) as string },
    HAS_CLIENTS: true,
  })
  await using cloud = await Cloud.start()
  const { installation } = cloud
  const path = join(installation.folder, 'disk.qcow2')
  const sha256 = await makeQcow2Image(path, CONTENT)
  const terraform = await terraformIn(installation)
  const first = { image_file: path }
  await terraform.apply(first)
  expect(await terraform.plan(first)).toBe(NOTHING_TO_DO)
  const ids = await terraform.ids()
  expect(ids.ofSnapshot).toBe(null)
  for (const id of [ids.root, ids.clone]) expect(await sha256OfVolume(installation, id)).toBe(sha256)
  expect(described(cloud, ids)).toEqual({
    ...{
      name: 'root-first',
      type: 'fast',
      blankType: '__DEFAULT__',
      size: GiB,
      quota: 5,
      image: 'disk-first',
    },
    metadata: { generation: 'first' },
  })

  const { id: snapshotId } = await cloud.json`openstack volume snapshot create --volume clone taken`
  await cloud.reaches('snapshots', snapshotId, 'available')
  const second = { image_file: path, generation: 'second', size: '2', snapshot: 'taken' }
  expect(await terraform.plan(second)).toBe(CHANGES)
  await terraform.apply(second)
  expect(await terraform.plan(second)).toBe(NOTHING_TO_DO)
  const changed = await terraform.ids()
  // All of it in place.
  expect({ ...changed, ofSnapshot: null }).toEqual(ids)
  expect(await sha256OfVolume(installation, changed.ofSnapshot)).toBe(sha256)
  expect(described(cloud, ids)).toEqual({
    ...{
      name: 'root-second',
      type: 'fast',
      blankType: 'fast',
      size: 2 * GiB,
      quota: 7,
      image: 'disk-second',
    },
    metadata: { generation: 'second' },
  })

  await cloud.run`openstack volume snapshot delete taken`
  await cloud.reaches('snapshots', snapshotId, undefined)
  await terraform.destroy(first)
  // The provider does not wait for an image to go.
  await cloud.reaches('images', ids.image, undefined)
  const left = ['volumes', 'snapshots', 'images', 'volume_types', 'identity_projects'].flatMap((table) =>
    runSql(installation, `select name as value from ${table}`).map(({ value }) => value),
  )
  expect(left.map(String).toSorted()).toEqual(['__DEFAULT__', 'admin'])
  await expectClean(installation.checked())
})

/** What the configuration says of these, from the database. */
function described(cloud: Cloud, ids: Json) {
  const quota = "select hard_limit as value from quotas where scope_id = ? and resource = 'volumes'"
  return {
    name: cloud.column('volumes', 'name', ids.root),
    type: cloud.column('volumes', 'volume_type', ids.root),
    metadata: JSON.parse(String(cloud.column('volumes', 'metadata', ids.root))) as unknown,
    size: Number(cloud.column('volumes', 'size_bytes', ids.root)),
    blankType: cloud.column('volumes', 'volume_type', ids.blank),
    image: cloud.column('images', 'name', ids.image),
    quota: Number(runSql(cloud.installation, quota, [ids.lab])[0]?.value),
  }
}

/** With its state in a folder of the installation. */
async function terraformIn({ folder, dataFolder }: Cloud['installation']) {
  const cwd = join(folder, 'terraform')
  await mkdir(cwd)
  await copyFile(join(import.meta.dirname, 'main.tf'), join(cwd, 'main.tf'))
  const settings = join(folder, 'terraform.rc')
  const overrides = `"terraform-provider-openstack/openstack" = ${JSON.stringify(PROVIDER_FOLDER)}`
  await writeFile(settings, `provider_installation {\n  dev_overrides {\n    ${overrides}\n  }\n}\n`)
  const env = {
    ...{ PATH: process.env.PATH, HOME: cwd, TF_IN_AUTOMATION: '1', TF_CLI_CONFIG_FILE: settings },
    ...{ OS_CLIENT_CONFIG_FILE: join(dataFolder, 'clouds.yaml'), OS_CLOUD: 'volflow' },
    // Nobody is asked whether there is a newer one.
    CHECKPOINT_DISABLE: '1',
  }
  const run = (args: string[], reject = true) =>
    execa(TERRAFORM ?? '', args, { cwd, env, reject, extendEnv: false, stdin: 'ignore' })
  const given = (variables: Variables) =>
    Object.entries(variables).map(([name, value]) => `-var=${name}=${value}`)
  const common = ['-input=false', '-no-color']
  return {
    apply: async (variables: Variables) => {
      await run(['apply', ...common, '-auto-approve', ...given(variables)])
    },
    plan: async (variables: Variables) => {
      const { exitCode, stderr } = await run(
        ['plan', ...common, '-detailed-exitcode', ...given(variables)],
        false,
      )
      if (exitCode === 1) throw new Error(stderr)
      return exitCode
    },
    destroy: async (variables: Variables) => {
      await run(['destroy', ...common, '-auto-approve', ...given(variables)])
    },
    ids: async () => (JSON.parse((await run(['output', '-json'])).stdout) as Json).ids.value as Json,
  }
}
