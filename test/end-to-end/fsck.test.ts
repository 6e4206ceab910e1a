/** Each kind of damage on one real installation that runs: fsck names it, and mends it where nothing can be lost. */
import { createHash, randomUUID } from 'node:crypto'
import { cp, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { abortBackup } from '../../backup-format/abort.ts'
import { createOrOpenRepository, registerDomain } from '../../backup-format/repository.ts'
import { uploadBackup } from '../../backup-format/upload.ts'
import { loadConfig } from '../../config/load.ts'
import { lookingKeyring } from '../../workers/keyring.ts'
import { openTarget } from '../../drivers/backups/registry.ts'
import { fsck } from '../../workers/fsck/fsck.ts'
import { expectClean } from '../checker/check.ts'
import { makeRawImage } from '../support/small-images.ts'
import { Damage } from './damage.ts'
import { Installation } from './installation.ts'
import { ended, MiB, until, uploadImage } from './steps.ts'
import { freePort } from '../../scripts/ports.ts'

const STRANGER = randomUUID()
const MAIN = join(import.meta.dirname, '../../workers/main.ts')

let installation: Installation
let ids: { image: string; queued: string; volume: string; snapshot: string; clone: string; backup: string }
let endedOperation: string
let damage: Damage

beforeAll(async () => {
  installation = await Installation.start()
  damage = new Damage(installation)
  // Where the run folders of its processes are.
  process.env.TMPDIR = installation.checked().temporaryFolder
  const { client, folder } = installation
  const path = join(folder, 'image.raw')
  await makeRawImage(path, { sizeBytes: 8 * MiB, data: [{ offset: MiB, length: 6 * MiB, seed: 1 }] })
  const image = await uploadImage(installation, path, 'raw')
  const { id: queued } = await client.createImage({ diskFormat: 'raw' })
  const created = await ended(installation, client.createVolume({ imageId: image }))
  const volume = created.resourceId
  const snapshot = (await ended(installation, client.createSnapshot({ volumeId: volume }))).resourceId
  const cloned = client.createVolume({ snapshotId: snapshot, sizeBytes: 16 * MiB })
  const clone = (await ended(installation, cloned)).resourceId
  const backup = (await ended(installation, client.createBackup({ volumeId: volume }))).resourceId
  ids = { image, queued, volume, snapshot, clone, backup }
  endedOperation = created.id
}, 180_000)

afterAll(async () => {
  expect(await codesOf({ deep: true })).toEqual({ left: [], repaired: [] })
  await expectClean(installation.checked())
  await installation[Symbol.asyncDispose]()
}, 180_000)

test('without damage nothing is found, and the command says so with exit code 0', async () => {
  expect(await codesOf({ deep: true })).toEqual({ left: [], repaired: [] })
  const command = await runFsck()
  expect(command).toMatchObject({ stdout: 'Clean.', exitCode: 0 })
}, 60_000)

test('the command prints a table with what to do, or a JSON line for each finding, with exit code 1', async () => {
  await damage.moved(installation.volumeFolder(ids.clone))
  const table = await runFsck()
  expect(table.stdout).toMatch(/SEVERITY +CODE +WHERE +WHAT\nerror +volume-missing +backend files +volume /)
  expect(table.stdout).toContain(`volflow volume delete ${ids.clone}`)
  expect(table.exitCode).toBe(1)
  const json = await runFsck('--json')
  const lines = json.stdout.split('\n').map((line) => JSON.parse(line) as unknown)
  expect(lines).toMatchObject([
    { code: 'volume-missing', severity: 'error', where: 'backend files', what: `volume ${ids.clone}` },
    { summary: { findings: 1, repaired: 0, truncated: false } },
  ])
  expect((await runFsck('--min-age', 'soon')).exitCode).toBe(2)
}, 60_000)

describe('what is reported and kept', () => {
  test('bytes of a volume', () =>
    keptAs('volume-missing', damage.moved(installation.volumeFolder(ids.clone))))

  test('bytes of a snapshot', () =>
    keptAs('snapshot-missing', damage.moved(installation.snapshotFolder(ids.volume, ids.snapshot))))

  test('bytes of an image', () =>
    keptAs('image-missing', damage.moved(damage.inData('images/images', ids.image))))

  test('the record of a backup', () => keptAs('backup-missing', damage.moved(recordPath())))

  test('a record with a flipped bit', () => keptAs('record-unreadable', damage.flipped(recordPath())))

  test('a key slot that is no slot', async () => {
    const path = damage.inData('backups/keys/0123456789abcdef')
    onTestFinished(() => rm(path))
    await keptAs('key-slot-damaged', writeFile(path, 'noise'))
  })

  test('another size', () =>
    keptAs('size-mismatch', damage.column('volumes', ids.volume, 'size_bytes', 9 * MiB)))

  test('the base layer of a clone', () =>
    keptAs('broken-chain', damage.moved(join(installation.volumeFolder(ids.clone), '0.raw'))))

  test('a layer between two others', async () => {
    const layer = join(installation.volumeFolder(ids.clone), '9.qcow2')
    const backing = ['-u', '-F', 'qcow2', '-b', '8.qcow2']
    onTestFinished(() => rm(layer))
    await keptAs('broken-chain', execa('qemu-img', ['create', '-q', '-f', 'qcow2', ...backing, layer, '16M']))
  })

  test('a chunk, for --deep alone', async () => {
    const folder = damage.inData('backups/d/default/c')
    const [chunk = ''] = (await readdir(folder, { recursive: true })).filter((name) => name.includes('.'))
    await damage.moved(join(folder, chunk))
    expect(await codesOf({})).toEqual({ left: [], repaired: [] })
    expect(await codesOf({ deep: true, repair: true })).toEqual({ left: ['chunk-missing'], repaired: [] })
  })

  test('a snapshot without its volume', async () => {
    const folder = installation.snapshotFolder(ids.volume, ids.snapshot)
    const orphaned = installation.snapshotFolder(STRANGER, ids.snapshot)
    await rename(folder, orphaned)
    onTestFinished(() => rename(orphaned, folder))
    await keptAs('parent-missing', damage.column('snapshots', ids.snapshot, 'volume_id', STRANGER))
  })

  test('a place that is not configured', () =>
    keptAs('place-unknown', damage.column('images', ids.queued, 'store', 'elsewhere')))

  test('a place that cannot be opened', async () => {
    const config = await loadConfig(installation.dataFolder)
    const backends = { ...config.backends, gone: { driver: 'file' as const, path: damage.inData('gone') } }
    const { findings } = await fsck({ ...config, backends }, options({ repair: true }))
    expect(findings).toMatchObject([{ code: 'place-unreachable', where: 'backend gone' }])
  })

  test('a Temporal server that is away', async () => {
    const config = await loadConfig(installation.dataFolder)
    const temporal = { ...config.temporal, port: await freePort() }
    const { findings } = await fsck({ ...config, temporal }, options({ repair: true }))
    expect(findings).toMatchObject([{ code: 'temporal-unreachable', where: 'temporal' }])
  }, 60_000)

  test('an open record that nobody goes on with', async () => {
    const target = openTarget({ driver: 'directory', path: damage.inData('backups') })
    const repository = await createOrOpenRepository(
      target,
      lookingKeyring(await loadConfig(installation.dataFolder)),
    )
    await registerDomain(repository, 'default')
    const request = { domain: 'default', backupId: STRANGER, sizeBytes: 8 * MiB, volume: {}, writerToken: 1 }
    const path = join(installation.folder, 'image.raw')
    const source = { kind: 'file', path, sizeBytes: 8 * MiB } as const
    await uploadBackup(repository, { ...request, source, signal: new AbortController().signal })
    onTestFinished(async () => {
      await abortBackup(repository, request)
      await rm(damage.inData('backups/d/default/r', STRANGER))
      await target.close()
    })
    await keptAs('record-open')
  })

  test('an artifact of an operation that succeeded, and its bytes', async () => {
    damage.artifact(endedOperation, { kind: 'volume', placeType: 'backend', place: 'files', id: ids.volume })
    await keptAs('artifact-left')
    expect((await stat(installation.volumeFolder(ids.volume))).isDirectory()).toBe(true)
  })
})

describe('what --repair mends', () => {
  test('a copy of the key of a project with a flipped bit', () =>
    mendedAs('project-key-damaged', damage.flipped(damage.inData('backups/domains/default'))))

  test('a copy of the key of a project that is missing', async () => {
    await rm(damage.inData('backups/d/default/key'))
    await mendedAs('project-key-damaged')
  })

  test('a status without an operation', async () => {
    await mendedAs('busy-without-operation', damage.column('volumes', ids.clone, 'status', 'deleting'))
    expect(await installation.client.showVolume(ids.clone)).toMatchObject({ status: 'error_deleting' })
  }, 60_000)

  test.each(['an operation that ended', 'no operation'])(
    'a lock of %s',
    async (whose) => {
      const operationId = whose === 'no operation' ? STRANGER : endedOperation
      damage.column('volumes', ids.clone, 'status', 'deleting')
      damage.sql(
        `insert into operation_resources values (?, 'volume', ?, 'volume', 'exclusive', 'deleting', 'available')`,
        [operationId, ids.clone],
      )
      await mendedAs('lock-left')
      expect(await installation.client.showVolume(ids.clone)).toMatchObject({ status: 'error_deleting' })
    },
    60_000,
  )

  test('an attempt of an operation that ended', async () => {
    damage.sql(`insert into attempts values (?, 'copyImage', 1, 0, 0, 0, 0, 0, 0)`, [endedOperation])
    await mendedAs('attempt-left')
  }, 60_000)

  test('an artifact of an operation that failed, and its bytes', async () => {
    const stage = damage.inData('images/stages', STRANGER)
    await writeFile(stage, 'left')
    damage.column('operations', endedOperation, 'state', 'failed')
    damage.artifact(endedOperation, { kind: 'stage', placeType: 'store', place: 'local', id: STRANGER })
    await mendedAs('artifact-left')
    await expect(stat(stage)).rejects.toMatchObject({ code: 'ENOENT' })
  }, 60_000)

  test('an upload that nobody sends', async () => {
    await damage.stopped('data-worker')
    damage.column('images', ids.queued, 'status', 'saving')
    damage.sql(`insert into uploads (image_id, token, lease_expires_at_ms) values (?, 'token', 0)`, [
      ids.queued,
    ])
    await mendedAs('upload-left')
    expect(await installation.client.showImage(ids.queued)).toMatchObject({ status: 'queued' })
  }, 60_000)

  test('what dead processes left in a backend, a store, a target and on the host', async () => {
    await mkdir(damage.inData('volumes/scratch', `${STRANGER}~0123`))
    await writeFile(damage.inData('images/stages', `${STRANGER}~0123`), 'half')
    const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 16)
    await writeFile(damage.inData('backups/.tmp', `${host}.99999999.1.${STRANGER}`), 'half')
    const [runs = ''] = await readdir(process.env.TMPDIR ?? '')
    await mkdir(join(process.env.TMPDIR ?? '', runs, '99999999'))
    const { left, repaired } = await codesOf({ repair: true })
    expect(left).toEqual([])
    expect(repaired).toEqual(Array.from({ length: 4 }, () => 'leftover-temporary'))
    expect(await codesOf({})).toEqual({ left: [], repaired: [] })
  }, 60_000)

  test('an operation whose workflow was closed', async () => {
    const resume = [await damage.stopped('data-worker')]
    const { operation } = await installation.client.createVolume({ sizeBytes: MiB })
    await until('it runs', async () => (await show(operation.id)).state === 'running')
    // Otherwise the reconciler would be faster.
    resume.push(await damage.stopped('control-worker'))
    await terminate(`create-volume/${operation.id}`)
    expect(await codesOf({})).toEqual({ left: ['operation-without-workflow'], repaired: [] })
    const repairing = codesOf({ repair: true })
    await sleep(4_000)
    for (const one of resume) one()
    expect(await repairing).toEqual({ left: [], repaired: ['operation-without-workflow'] })
    expect(await show(operation.id)).toMatchObject({ state: 'failed', error: { code: 'workflowClosed' } })
    await ended(installation, installation.client.deleteVolume(operation.resourceId))
  }, 90_000)

  test('a workflow whose operation has ended', async () => {
    const resume = await damage.stopped('data-worker')
    const { operation } = await installation.client.createVolume({ sizeBytes: MiB })
    await until('it runs', async () => (await show(operation.id)).state === 'running')
    damage.sql(`delete from operation_resources where operation_id = ?`, [operation.id])
    damage.sql(`update volumes set status = 'error' where id = ?`, [operation.resourceId])
    damage.sql(`update operations set state = 'failed', finished_at = created_at where id = ?`, [
      operation.id,
    ])
    // Whoever ended it so wrote no event.
    damage.sql(`delete from events where operation_id = ?`, [operation.id])
    const repairing = codesOf({ repair: true })
    await sleep(4_000)
    resume()
    expect(await repairing).toEqual({ left: [], repaired: ['workflow-without-operation', 'artifact-left'] })
    await ended(installation, installation.client.deleteVolume(operation.resourceId))
  }, 90_000)
})

describe('bytes without a row are kept by --repair, and go with --delete-orphans', () => {
  test('a volume is moved aside', async () => {
    const folder = installation.volumeFolder(STRANGER)
    await cp(installation.volumeFolder(ids.volume), folder, { recursive: true })
    await orphanedAs('volume-orphaned', 'volumes/aside')
  }, 60_000)

  test('a snapshot is moved aside', async () => {
    const folder = installation.snapshotFolder(ids.volume, STRANGER)
    await cp(installation.volumeFolder(ids.volume), folder, { recursive: true })
    await orphanedAs('snapshot-orphaned', 'volumes/aside')
  }, 60_000)

  test.each(['image', 'stage'])(
    'an %s is moved aside',
    async (kind) => {
      await writeFile(damage.inData(`images/${kind}s`, STRANGER), 'bytes')
      await orphanedAs(`${kind}-orphaned`, 'images/aside')
    },
    60_000,
  )

  test('a committed record is deleted, but not before a day has passed', async () => {
    const made = installation.client.createBackup({ volumeId: ids.volume, snapshotId: ids.snapshot })
    const { resourceId } = await ended(installation, made)
    damage.sql(`delete from backups where id = ?`, [resourceId])
    expect(await codesOf({ repair: true })).toEqual({ left: ['record-orphaned'], repaired: [] })
    await sleep(1_100)
    const young = await runFsck('--min-age', '1', '--json', '--repair')
    expect(young.stdout).toContain('"record-orphaned"')
    expect(await codesOf({ deleteOrphans: true })).toEqual({ left: [], repaired: ['record-orphaned'] })
    await ended(installation, installation.client.collectTarget('local'))
  }, 90_000)

  async function orphanedAs(code: string, aside: string) {
    expect(await codesOf({ repair: true })).toEqual({ left: [code], repaired: [] })
    const config = await loadConfig(installation.dataFolder)
    const { minAgeMs: _, ...young } = options({ deleteOrphans: true })
    expect((await fsck(config, young)).repaired).toEqual([])
    expect(await codesOf({ deleteOrphans: true })).toEqual({ left: [], repaired: [code] })
    expect(await readdir(damage.inData(aside))).toEqual([expect.stringContaining(STRANGER)])
    await rm(damage.inData(aside), { recursive: true })
  }
})

test('beside a workload of real operations it finds nothing', async () => {
  const { client } = installation
  const untilMs = Date.now() + 30_000
  let operations = 0
  const work = async () => {
    while (Date.now() < untilMs) {
      const volume = (await ended(installation, client.createVolume({ imageId: ids.image }))).resourceId
      const snapshot = (await ended(installation, client.createSnapshot({ volumeId: volume }))).resourceId
      const copied = client.createVolume({ snapshotId: snapshot, flatten: true, sizeBytes: 16 * MiB })
      const copy = (await ended(installation, copied)).resourceId
      const backup = (await ended(installation, client.createBackup({ volumeId: volume }))).resourceId
      const { operation } = await client.createVolume({ backupId: backup })
      await ended(installation, operation)
      for (const id of [copy, operation.resourceId]) await ended(installation, client.deleteVolume(id))
      await ended(installation, client.deleteSnapshot(snapshot))
      await ended(installation, client.deleteBackup(backup))
      await ended(installation, client.deleteVolume(volume))
      operations += 10
    }
  }
  const looks: Awaited<ReturnType<typeof codesOf>>[] = []
  const looking = async () => {
    while (Date.now() < untilMs) looks.push(await codesOf({ deep: true }))
  }
  await Promise.all([work(), work(), looking()])
  console.log(`${looks.length} looks beside ${operations} operations`)
  expect(looks.length).toBeGreaterThanOrEqual(3)
  expect(looks.filter(({ left }) => left.length > 0)).toEqual([])
  await ended(installation, client.collectTarget('local'))
}, 120_000)

/** `done`: the damage, unless it is there already. */
async function keptAs(code: string, done?: unknown): Promise<void> {
  await done
  expect(await codesOf({ repair: true })).toEqual({ left: [code], repaired: [] })
}

async function mendedAs(code: string, done?: unknown): Promise<void> {
  await done
  expect(await codesOf({ repair: true })).toEqual({ left: [], repaired: [code] })
  expect(await codesOf({})).toEqual({ left: [], repaired: [] })
}

interface Flags {
  readonly repair?: boolean
  readonly deleteOrphans?: boolean
  readonly deep?: boolean
}

/** Without waiting until things are old: harder on fsck, and faster. */
async function codesOf(flags: Flags): Promise<{ left: string[]; repaired: string[] }> {
  const result = await fsck(await loadConfig(installation.dataFolder), options(flags))
  return { left: result.findings.map(({ code }) => code), repaired: result.repaired.map(({ code }) => code) }
}

function options({ repair = false, deleteOrphans = false, deep = false }: Flags) {
  return { repair, deleteOrphans, deep, minAgeMs: 0, progress: () => undefined }
}

async function runFsck(...args: string[]) {
  const command = [MAIN, 'fsck', '--data', installation.dataFolder, '--min-age', '0', ...args]
  return execa(process.execPath, command, { reject: false, env: { NODE_NO_WARNINGS: '1' } })
}

function recordPath(): string {
  return damage.inData('backups/d/default/r', ids.backup)
}

function show(operationId: string) {
  return installation.client.showOperation(operationId)
}

async function terminate(workflowId: string): Promise<void> {
  const connection = await Connection.connect({ address: installation.temporalAddress })
  try {
    await new Client({ connection }).workflow.getHandle(workflowId).terminate()
  } finally {
    await connection.close()
  }
}
