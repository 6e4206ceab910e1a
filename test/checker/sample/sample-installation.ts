/** A small installation made by hand: a volume with a snapshot and a layer above it, an image, a backup. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { link, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { CheckedInstallation } from '../installation.ts'
import { CHUNK_BYTES, type SampleRepository, writeRepository } from './write-repository.ts'

export const KEY_FILE = createHash('sha256').update('sample').digest()
export const CANARY = 'canary-3c1d9f7e'
export const PROJECT = 'project-1'
export const IDS = {
  volume: '11111111-1111-4111-8111-111111111111',
  snapshot: '22222222-2222-4222-8222-222222222222',
  image: '33333333-3333-4333-8333-333333333333',
  backup: '44444444-4444-4444-8444-444444444444',
  operation: '55555555-5555-4555-8555-555555555555',
  webhook: '66666666-6666-4666-8666-666666666666',
  stranger: '99999999-9999-4999-8999-999999999999',
}

export interface Sample {
  readonly installation: CheckedInstallation
  readonly volume: string
  readonly snapshot: string
  readonly image: string
  readonly repository: SampleRepository
  readonly backupBytes: Buffer
  readonly objects: { chunks: string[]; pages: string[] }
  readonly sql: (statement: string) => void
}

const SIZE_BYTES = 1024 * 1024

const TABLES = `
  create table attachments (id, volume_id);
  create table volumes (id, project_id, status, size_bytes, backend);
  create table snapshots (id, project_id, status, size_bytes, backend, volume_id);
  create table images (id, project_id, status, store, size_bytes, checksum, os_hash_algo, os_hash_value);
  create table image_copies (image_id, store);
  create table backups (id, project_id, status, size_bytes, target, parent_id);
  create table kept_snapshots (backup_id, volume_id, target, backend, snapshot_id);
  create table operations (id, kind, state, finished_at, error_message);
  create table operation_resources (operation_id, resource_type, resource_id);
  create table artifacts (operation_id, kind, id);
  create table attempts (operation_id, activity);
  create table uploads (image_id, lease_expires_at_ms);
  create table idempotency_keys (idempotency_key, operation_id);
  create table schedules (id, paused);
  create table schedule_runs (id, schedule_id, outcome, operation_id);
  create table events (id, operation_id, type);
  create table event_log (last_id);
  create table webhooks (id, cursor_id);
  create table webhook_deliveries (webhook_id, outcome);
`

export async function makeSample(folder: string): Promise<Sample> {
  const dataFolder = join(folder, 'data')
  const temporaryFolder = join(folder, 'tmp')
  const backupKeyFile = join(dataFolder, 'keys/backup.key')
  const [backend, store, target] = ['volumes', 'images', 'backups'].map((name) => join(dataFolder, name)) as [
    string,
    string,
    string,
  ]
  for (const name of ['keys', 'log', 'images/stages', 'images/images', 'volumes/scratch']) {
    await mkdir(join(dataFolder, name), { recursive: true })
  }
  await mkdir(temporaryFolder)
  await writeFile(backupKeyFile, `${KEY_FILE.toString('hex')}\n`)
  await writeFile(join(dataFolder, 'log/api.log'), 'nothing to hide\n')
  const layers = await makeLayers(backend)
  const image = join(store, 'images', IDS.image)
  await writeFile(image, 'bytes of an image')
  const repository = await writeRepository(target, KEY_FILE, PROJECT)
  const backupBytes = makeBackupBytes()
  const objects = await repository.backup(IDS.backup, backupBytes)
  const sql = (statement: string) => {
    const database = new DatabaseSync(join(dataFolder, 'volflow.db'))
    database.exec(statement)
    database.close()
  }
  sql(TABLES + rows(backupBytes.length))
  const installation: CheckedInstallation = {
    ...{ dataFolder, temporaryFolder, backupKeyFile },
    backends: { files: backend },
    stores: { local: store },
    targets: { local: { kind: 'directory', path: target } },
    secrets: { 'the canary': CANARY },
    collected: true,
  }
  return { installation, ...layers, image, repository, backupBytes, objects, sql }
}

async function makeLayers(backend: string): Promise<{ volume: string; snapshot: string }> {
  const volume = join(backend, 'volumes', IDS.volume)
  const snapshot = join(backend, 'snapshots', `${IDS.volume}.${IDS.snapshot}`)
  await mkdir(volume, { recursive: true })
  await mkdir(snapshot, { recursive: true })
  await writeFile(join(volume, '0.raw'), Buffer.alloc(SIZE_BYTES, 'base'))
  await link(join(volume, '0.raw'), join(snapshot, '0.raw'))
  const overlay = ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', '0.raw', '1.qcow2']
  execFileSync('qemu-img', overlay, { cwd: volume })
  return { volume, snapshot }
}

/** Two pages: four chunks with one of zeroes among them, and a short one. */
function makeBackupBytes(): Buffer {
  const bytes = Buffer.alloc(CHUNK_BYTES * 4 + 100)
  for (const chunk of [0, 1, 3, 4])
    bytes.fill(`chunk ${chunk}`, chunk * CHUNK_BYTES, Math.min((chunk + 1) * CHUNK_BYTES, bytes.length))
  return bytes
}

function rows(backupBytes: number): string {
  const hash = (algorithm: string) => createHash(algorithm).update('bytes of an image').digest('hex')
  return `
    insert into volumes values ('${IDS.volume}', '${PROJECT}', 'available', ${SIZE_BYTES}, 'files');
    insert into snapshots values ('${IDS.snapshot}', '${PROJECT}', 'available', ${SIZE_BYTES}, 'files', '${IDS.volume}');
    insert into images values ('${IDS.image}', '${PROJECT}', 'active', 'local', 17, '${hash('md5')}', 'sha512', '${hash('sha512')}');
    insert into backups values ('${IDS.backup}', '${PROJECT}', 'available', ${backupBytes}, 'local', null);
    insert into operations values ('${IDS.operation}', 'create-volume', 'succeeded', '2026-01-01T00:00:00Z', null);
    insert into idempotency_keys values ('key-1', '${IDS.operation}');
    insert into event_log values (2);
    insert into webhooks values ('${IDS.webhook}', 2);
    insert into webhook_deliveries values ('${IDS.webhook}', 'delivered');
    insert into events values (1, '${IDS.operation}', 'accepted'), (2, '${IDS.operation}', 'ended');
  `
}
