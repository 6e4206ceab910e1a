/**
 * `node test/end-to-end/record-histories.ts [<workflow>[/<case>]…]`: runs every workflow on a real installation, with cancellations, failures, killed workers
 * and recovery, and writes what Temporal recorded to test/histories/<workflow>/<case>.json. The replay test then shows that
 * workflows of today go on with operations that were begun before. Run it when a workflow is new, with its kind; keep the old recordings while
 * operations of that version may still be running somewhere.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, openAsBlob } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import type { Blockdev } from '../../block-io/device.ts'
import { startCephCluster } from '../../scripts/ceph/cluster.ts'
import type { VolflowClient } from '../../sdk/client.ts'
import type { CreateVolumeInput, Operation } from '../../sdk/types.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { startStorageDaemonGuest } from '../support/storage-daemon-guest.ts'
import { Installation, type InstallationOptions, withGuestSockets } from './installation.ts'
import { MiB, until, uploadImage, writtenBytes } from './steps.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const HISTORIES = join(import.meta.dirname, '../histories')
const DATA_BYTES = 160 * MiB
const BACKENDS = {
  ...withGuestSockets().config.backends,
  other: { driver: 'file', path: 'other' },
}
const CINDER = { cinder: { driver: 'directory', path: 'cinder' } }
const CONTENT = { sizeBytes: 200 * MiB, data: [{ offset: MiB, length: DATA_BYTES, seed: 1 }] }

const DERIVED = 'create-volume-from-image/derived'

/** `<workflow>/<case>` -> id of the workflow. */
type Recorded = Map<string, string>

const STORES = {
  local: { driver: 'file', path: 'images' },
  second: { driver: 'file', path: 'second' },
}

const TARGETS = {
  local: { driver: 'directory', path: 'backups' },
  other: { driver: 'directory', path: 'other-backups' },
}

await recordIn(
  {
    config: { backends: BACKENDS, stores: STORES, targets: TARGETS, cinderTargets: CINDER },
    prepare: (dataFolder) => {
      mkdirSync(join(dataFolder, 'cinder'), { recursive: true })
      return () => undefined
    },
  },
  recordAll,
)
if (isWanted(DERIVED)) await recordInCluster()

async function recordIn(
  options: InstallationOptions,
  record: (installation: Installation, temporal: Client, recorded: Recorded) => Promise<void>,
): Promise<void> {
  const parentFolder = await mkdtemp(join(tmpdir(), 'volflow-record-'))
  try {
    await using installation = await Installation.start({ parentFolder, ...options })
    const connection = await Connection.connect({ address: installation.temporalAddress })
    const temporal = new Client({ connection })
    try {
      const recorded: Recorded = new Map()
      await record(installation, temporal, recorded)
      const wanted = [...recorded].filter(([name]) => isWanted(name))
      for (const [name, workflowId] of wanted) await save(temporal, name, workflowId)
      console.log(`${wanted.length} histories in ${HISTORIES}`)
    } finally {
      await connection.close()
    }
  } finally {
    await rm(parentFolder, { recursive: true, force: true })
  }
}

/** What happens in a Ceph cluster alone. */
async function recordInCluster(): Promise<void> {
  const cluster = await startCephCluster()
  try {
    const { user, confFile, keyringFile } = cluster
    const place = (pool: string) => ({ driver: 'rbd', pool, user, confFile, keyringFile })
    const config = { backends: { rbd: place('volumes') }, stores: { rbd: place('images') } }
    await recordIn({ config }, async (installation, _temporal, recorded) => {
      const path = join(installation.folder, 'image.qcow2')
      await makeQcow2Image(path, CONTENT)
      const imageId = await uploadImage(installation, path, 'qcow2')
      await recorderOf(installation, recorded)(installation.client.createVolume({ imageId }), DERIVED)
    })
  } finally {
    await cluster.stop()
  }
}

/** Arguments name the workflows or cases whose histories are kept; without any, all are. */
function isWanted(name: string): boolean {
  const wanted = process.argv.slice(2)
  return wanted.length === 0 || wanted.includes(dirname(name)) || wanted.includes(name)
}

async function recordAll(installation: Installation, temporal: Client, recorded: Recorded): Promise<void> {
  const { client, folder } = installation
  const end = recorderOf(installation, recorded)
  const half = (operation: Operation) =>
    until(
      'half is copied',
      async () => (await writtenBytes(installation, operation.resourceId)) > DATA_BYTES / 3,
    )
  const cancelled = async (request: Parameters<typeof client.createVolume>[0], name: string) => {
    const started = await client.createVolume(request)
    await half(started.operation)
    await client.cancelOperation(started.operation.id)
    await end(Promise.resolve(started), name, 'cancelled')
  }

  const good = join(folder, 'image.qcow2')
  await makeQcow2Image(good, CONTENT)
  const bad = join(folder, 'bad.qcow2')
  execFileSync('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/passwd', bad, '1M'])
  const { id: imageId } = await client.createImage({ diskFormat: 'qcow2' })
  await end(client.uploadImage(imageId, await openAsBlob(bad)), 'upload-image/refused', 'failed')
  await end(client.uploadImage(imageId, await openAsBlob(good)), 'upload-image/succeeded')

  const blank = await end(client.createVolume({ sizeBytes: MiB }), 'create-volume/succeeded')
  await end(client.unmanageVolume(blank), 'unmanage-volume/succeeded')
  const managed = await end(
    client.manageVolume({ backend: 'files', sourceName: `${blank}.raw` }),
    'manage-volume/succeeded',
  )
  await end(
    client.manageVolume({ backend: 'files', sourceName: 'nothing' }),
    'manage-volume/failed',
    'failed',
  )
  await end(client.deleteVolume(managed), 'delete-volume/succeeded')

  const volumeId = await end(client.createVolume({ imageId }), 'create-volume-from-image/succeeded')
  await cancelled({ imageId }, 'create-volume-from-image/cancelled')
  const killed = client.createVolume({ imageId })
  await half((await killed).operation)
  process.kill(await installation.servicePid('data-worker'), 'SIGKILL')
  await end(killed, 'create-volume-from-image/worker-killed')

  await recordCopies(installation, volumeId, recorded)
  await recordSchedule(installation, temporal, recorded, volumeId)
  await recordCinder(installation, volumeId, recorded)

  const snapshotId = await end(client.createSnapshot({ volumeId }), 'create-snapshot/succeeded')
  await end(client.createVolume({ snapshotId }), 'create-volume-from-snapshot/layer')
  await end(client.createVolume({ snapshotId, flatten: true }), 'create-volume-from-snapshot/flatten')
  await cancelled({ snapshotId, flatten: true }, 'create-volume-from-snapshot/cancelled')
  await recordVolumeOperations({ client, end, cancelled, volumeId, snapshotId })

  const backupId = await end(client.createBackup({ volumeId }), 'create-backup/full')
  await end(
    client.createBackup({ volumeId, incremental: true, snapshotId }),
    'create-backup/incremental-of-snapshot',
  )
  const backup = client.createBackup({ volumeId })
  await until(
    'it uploads',
    async () => (await client.showOperation((await backup).operation.id)).phase === 'uploading',
  )
  await client.cancelOperation((await backup).operation.id)
  await end(backup, 'create-backup/cancelled', 'cancelled')
  await end(client.createVolume({ backupId }), 'restore-backup/succeeded')
  await end(client.verifyBackup(backupId), 'verify-backup/content')
  await end(client.verifyBackup(backupId, { level: 'restore' }), 'verify-backup/restore')
  await end(client.importTarget('local'), 'import-target/succeeded')
  await end(client.copyBackup(backupId, { target: 'other' }), 'copy-backup/succeeded')
  await cancelled({ backupId }, 'restore-backup/cancelled')
  await end(client.deleteBackup(backupId), 'delete-backup/succeeded')
  await end(client.collectTarget('local'), 'collect-target/succeeded')
  await end(client.deleteSnapshot(snapshotId), 'delete-snapshot/succeeded')
  await recordMerge(installation, recorded)
  await recordAttached(installation, volumeId, recorded)
  const { id: unused } = await client.createImage({ diskFormat: 'raw' })
  await end(client.deleteImage(unused), 'delete-image/succeeded')

  const lost = client.createVolume({ imageId })
  const { operation } = await lost
  await half(operation)
  await temporal.workflow.getHandle(`${operation.kind}/${operation.id}`).terminate()
  await end(lost, 'create-volume-from-image/terminated', 'failed')
  const recovery = `recover/${operation.id}`
  await temporal.workflow.getHandle(recovery).result()
  recorded.set('recover/terminated', recovery)
}

function recorderOf({ client }: Installation, recorded: Recorded) {
  return async (
    started: Promise<{ operation: Operation }>,
    name: string,
    state: Operation['state'] = 'succeeded',
  ) => {
    const operation = await client.waitForOperation((await started).operation.id)
    if (operation.state !== state)
      throw new Error(`Expected ${name} to be ${state}, got ${JSON.stringify(operation)}`)
    recorded.set(name, `${operation.kind}/${operation.id}`)
    return operation.resourceId
  }
}

/** What copies between things that exist. */
async function recordCopies(installation: Installation, volumeId: string, recorded: Recorded): Promise<void> {
  const { client } = installation
  const end = recorderOf(installation, recorded)
  const cancelled = async (started: Promise<{ operation: Operation }>, name: string) => {
    const { operation } = await started
    await until('it works', async () => (await client.showOperation(operation.id)).attempt > 0)
    await client.cancelOperation(operation.id)
    await end(started, name, 'cancelled')
  }
  const rawId = await end(client.uploadVolume(volumeId, { diskFormat: 'raw' }), 'upload-volume-to-image/raw')
  await cancelled(client.copyImage(rawId, { store: 'second' }), 'copy-image/cancelled')
  await end(client.copyImage(rawId, { store: 'second' }), 'copy-image/succeeded')
  await end(client.uploadVolume(volumeId, { diskFormat: 'qcow2' }), 'upload-volume-to-image/qcow2')
  await cancelled(client.uploadVolume(volumeId, { diskFormat: 'raw' }), 'upload-volume-to-image/cancelled')

  const { operation: backup } = await client.createBackup({ volumeId })
  const { resourceId: backupId } = await client.waitForOperation(backup.id)
  const { id: imageId } = (await client.listImages({ status: 'active', limit: 1 })).items[0] ?? { id: '' }
  const reimage = () => client.reimageVolume(volumeId, { imageId })
  await end(reimage(), 'reimage-volume/succeeded')
  await cancelled(reimage(), 'reimage-volume/cancelled')
  const restore = () => client.restoreBackup(backupId, { volumeId })
  await end(restore(), 'restore-backup-into-volume/succeeded')
  await cancelled(restore(), 'restore-backup-into-volume/cancelled')
  // Restored into, it has its bytes in a layer.
  await end(client.flattenVolume(volumeId), 'flatten-volume/copied')
  await end(client.flattenVolume(volumeId), 'flatten-volume/independent')
  await client.waitForOperation((await restore()).operation.id)
  await cancelled(client.flattenVolume(volumeId), 'flatten-volume/cancelled')
  const migrate = (backend: string) => client.migrateVolume(volumeId, { backend })
  await cancelled(migrate('other'), 'migrate-volume/cancelled')
  await end(migrate('other'), 'migrate-volume/succeeded')
  await client.waitForOperation((await migrate('files')).operation.id)
}

/** What only backups in Cinder's format have. */
async function recordCinder({ client }: Installation, volumeId: string, recorded: Recorded): Promise<void> {
  const end = async (started: Promise<{ operation: Operation }>, name: string, state = 'succeeded') => {
    const { kind, id, state: got } = await client.waitForOperation((await started).operation.id)
    if (got !== state) throw new Error(`Expected ${name} to be ${state}, it is ${got}`)
    recorded.set(name, `${kind}/${id}`)
  }
  const { operation } = await client.createBackup({ volumeId, target: 'cinder' })
  const { resourceId: backupId } = await client.waitForOperation(operation.id)
  await end(client.cinder.scanTarget('cinder'), 'scan-target/succeeded')
  await end(client.deleteBackup(backupId), 'unlink-backup/succeeded')
}

/** One planned run that starts at once, and one that first waits for its predecessor. */
async function recordSchedule(
  { client }: Installation,
  temporal: Client,
  recorded: Recorded,
  volumeId: string,
): Promise<void> {
  const { id } = await client.schedules.create({
    name: 'recorded',
    volumes: { ids: [volumeId] },
    intervalSeconds: 86_400,
    overlap: 'wait',
  })
  await until('it is applied', async () => (await client.schedules.show(id)).applied)
  const handle = temporal.schedule.getHandle(`scheduled-backup/${id}`)
  const names = ['scheduled-backup/started', 'scheduled-backup/waited']
  for (const name of names) {
    const before = (await handle.describe()).info.recentActions.length
    await handle.trigger()
    const actions = async () => (await handle.describe()).info.recentActions
    await until('it is triggered', async () => (await actions()).length > before)
    const workflowId = (await actions()).at(-1)?.action.workflow.workflowId ?? ''
    recorded.set(name, workflowId)
    // The next one has a second of its own, and this one's backup still goes on.
    await sleep(1_000)
  }
  for (const name of names) await temporal.workflow.getHandle(recorded.get(name) ?? '').result()
  for (const { operationId } of (await client.schedules.runs(id)).items) {
    await client.waitForOperation(operationId ?? '')
  }
  await client.schedules.delete(id)
}

/** Starts by itself when a volume has rested: that is now. */
async function recordMerge({ client, dataFolder }: Installation, recorded: Recorded): Promise<void> {
  const database = new DatabaseSync(join(dataFolder, 'volflow.db'), { timeout: 10_000 })
  database.exec('update mergeable_volumes set due_at_ms = 0')
  database.close()
  const done = async () =>
    (await client.listOperations({ kind: 'merge-layers', state: 'succeeded' })).items[0]?.id
  await until('a merge', async () => (await done()) !== undefined)
  recorded.set('merge-layers/succeeded', `merge-layers/${await done()}`)
}

interface VolumeRecording {
  readonly client: VolflowClient
  readonly end: (started: Promise<{ operation: Operation }>, name: string) => Promise<string>
  readonly cancelled: (request: CreateVolumeInput, name: string) => Promise<void>
  readonly volumeId: string
  readonly snapshotId: string
}

async function recordVolumeOperations(recording: VolumeRecording): Promise<void> {
  const { client, end, cancelled, volumeId, snapshotId } = recording
  const source = { sourceVolumeId: volumeId }
  await end(client.createVolume(source), 'clone-volume/layer')
  await end(client.createVolume({ ...source, flatten: true }), 'clone-volume/flatten')
  await cancelled({ ...source, flatten: true }, 'clone-volume/cancelled')
  await end(client.revertVolume(volumeId, { snapshotId }), 'revert-to-snapshot/succeeded')
  await end(
    client.extendVolume(volumeId, { sizeBytes: CONTENT.sizeBytes + 56 * MiB }),
    'extend-volume/succeeded',
  )
}

/** A volume that a guest has open. */
async function recordAttached(
  installation: Installation,
  volumeId: string,
  recorded: Recorded,
): Promise<void> {
  const { client, guestSockets: socketFolder } = installation
  const end = recorderOf(installation, recorded)
  const attached = client.attachVolume(volumeId, { guest: 'vm' })
  await end(attached, 'attach-volume/succeeded')
  const { result } = await client.showOperation((await attached).operation.id)
  const blockdev = JSON.parse(String(result?.connection)) as Blockdev
  const guest = await startStorageDaemonGuest({ name: 'vm', socketFolder, blockdev })
  await end(client.createBackup({ volumeId }), 'create-backup/of-attached')
  await end(client.detachVolume(volumeId), 'detach-volume/refused', 'failed')
  await guest.kill()
  await end(client.detachVolume(volumeId), 'detach-volume/succeeded')
}

async function save(temporal: Client, name: string, workflowId: string): Promise<void> {
  const path = join(HISTORIES, `${name}.json`)
  await mkdir(dirname(path), { recursive: true })
  const history = await temporal.workflow.getHandle(workflowId).fetchHistory()
  // Who worked on it, and where the code was, are of no interest.
  const text = historyToJSON(history)
    .replaceAll(/"identity": ?"[^"]*"/g, '"identity": "worker"')
    .replaceAll(`@${hostname()}`, '@worker')
    .replaceAll(ROOT, '/volflow/')
  await writeFile(path, `${text}\n`)
}
