import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, copyFile, link, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../support/temp-dir.ts'
import { expectClean, findViolations } from './check.ts'
import { restoreSha256 } from './repository/restore.ts'
import { CANARY, IDS, makeSample, KEY_FILE, PROJECT, type Sample } from './sample/sample-installation.ts'
import { foreignId } from './sample/write-repository.ts'
import { volumeSha256 } from './volume-sha256.ts'

test('an installation without a fault is clean', async () => {
  const { installation } = await makeSample(await tempDir())
  await expectClean(installation)
})

test('the bytes of a backup are put together from its objects', async () => {
  const { installation, backupBytes } = await makeSample(await tempDir())
  const target = installation.targets.local
  if (target === undefined) throw new Error('No target')
  const sha256 = await restoreSha256({
    ...{ target, backupKeyFile: installation.backupKeyFile, domain: PROJECT, backupId: IDS.backup },
  })
  expect(sha256).toBe(createHash('sha256').update(backupBytes).digest('hex'))
})

test('a volume is read through its layers', async () => {
  const { volume, snapshot } = await makeSample(await tempDir())
  expect(await volumeSha256(volume)).toBe(await volumeSha256(snapshot))
})

/** What is done to a clean installation, and the violation that must be among those found. */
const FAULTS: Record<string, { plant: (sample: Sample) => Promise<unknown> | void; found: RegExp }> = {
  'a volume in a status on the way': {
    plant: ({ sql }) => sql(`update volumes set status = 'creating'`),
    found: /volumes 1{8}-.* is creating, which is not a terminal status/,
  },
  'a volume that is in use by nobody': {
    plant: ({ sql }) => sql(`update volumes set status = 'in-use'`),
    found: /volumes? 1{8}-.* is in-use, which its attachments do not say/,
  },
  'an attachment of nothing': {
    plant: ({ sql }) =>
      sql(`insert into attachments (id, volume_id) values ('${IDS.operation}', '${IDS.stranger}')`),
    found: /attachment 5{8}-.* of volume 9{8}-.*, which is gone/,
  },
  'an image that is still saving': {
    plant: ({ sql }) => sql(`update images set status = 'saving'`),
    found: /images 3{8}-.* is saving/,
  },
  'an operation that runs': {
    plant: ({ sql }) => sql(`update operations set state = 'running', finished_at = null`),
    found: /operation create-volume\/5{8}-.* is still running/,
  },
  'an operation without an end': {
    plant: ({ sql }) => sql(`update operations set finished_at = null`),
    found: /is succeeded without a time of its end/,
  },
  'a lock': {
    plant: ({ sql }) =>
      sql(`insert into operation_resources values ('${IDS.operation}', 'volume', '${IDS.volume}')`),
    found: /lock of volume 1{8}/,
  },
  'an artifact': {
    plant: ({ sql }) =>
      sql(`insert into artifacts values ('${IDS.operation}', 'snapshot', '${IDS.stranger}')`),
    found: /artifact snapshot 9{8}/,
  },
  'an attempt': {
    plant: ({ sql }) => sql(`insert into attempts values ('${IDS.operation}', 'copyImage')`),
    found: /attempt of copyImage/,
  },
  'an expired upload': {
    plant: ({ sql }) => sql(`insert into uploads values ('${IDS.image}', 1)`),
    found: /upload of image 3{8}-.* expired/,
  },
  'an idempotency key without its operation': {
    plant: ({ sql }) => sql(`delete from operations`),
    found: /idempotency key key-1 names the unknown operation/,
  },
  'a run of a schedule that is gone': {
    plant: ({ sql }) =>
      sql(`insert into schedule_runs values ('r', '${IDS.stranger}', 'started', '${IDS.operation}')`),
    found: /run r belongs to schedule 9{8}-.*, which is gone/,
  },
  'a run that started an unknown operation': {
    plant: ({ sql }) => sql(`insert into schedule_runs values ('r', 's', 'started', '${IDS.stranger}')`),
    found: /run r started the unknown operation 9{8}/,
  },
  'a run that waits': {
    plant: ({ sql }) => sql(`insert into schedule_runs values ('r', 's', 'waiting', null)`),
    found: /run r of schedule s is still waiting/,
  },
  'an operation that ended and went on': {
    plant: ({ sql }) => sql(`insert into events values (3, '${IDS.operation}', 'progress')`),
    found: /events of operation create-volume\/5{8}-.* are accepted, ended, progress/,
  },
  'an operation that ended without an event': {
    plant: ({ sql }) => sql(`delete from events where type = 'ended'`),
    found: /events of operation create-volume\/5{8}-.* are accepted$/,
  },
  'a webhook beyond the log': {
    plant: ({ sql }) => sql(`update webhooks set cursor_id = 3`),
    found: /webhook 6{8}-.* is at the unknown event 3/,
  },
  'a delivery of a webhook that is gone': {
    plant: ({ sql }) => sql(`delete from webhooks`),
    found: /a delivery belongs to webhook 6{8}-.*, which is gone/,
  },
  'a test of a webhook that nobody sent': {
    plant: ({ sql }) => sql(`update webhook_deliveries set outcome = 'waiting'`),
    found: /a test of webhook 6{8}-.* is still waiting/,
  },
  'a snapshot without its volume': {
    plant: ({ sql }) => sql(`update snapshots set volume_id = '${IDS.stranger}'`),
    found: /belongs to volume 9{8}-.*, which is gone/,
  },
  'a snapshot that is kept for a backup that is gone': {
    plant: ({ sql }) =>
      sql(`insert into kept_snapshots values ('${IDS.stranger}', '${IDS.volume}', 'local', 'files', 's')`),
    found: /snapshot s is kept for backup 9{8}-.* for no use/,
  },
  'a kept snapshot without a directory': {
    plant: ({ sql }) =>
      sql(`insert into kept_snapshots values ('${IDS.backup}', '${IDS.volume}', 'local', 'files', 's')`),
    found: /snapshot s has no directory/,
  },
  'a volume in an unknown backend': {
    plant: ({ sql }) => sql(`update volumes set backend = 'elsewhere'`),
    found: /backend elsewhere, which is not configured/,
  },
  'a volume without a directory': {
    plant: ({ volume }) => rm(volume, { recursive: true }),
    found: /volume 1{8}-.* has no directory/,
  },
  'a directory without a volume': {
    plant: ({ sql }) => sql(`delete from volumes`),
    found: /leftover: .*volumes\/1{8}/,
  },
  'the bytes of a volume in error': {
    plant: ({ sql }) => sql(`update volumes set status = 'error'`),
    found: /leftover: .*volumes\/1{8}/,
  },
  'something in scratch': {
    plant: ({ installation }) => mkdir(join(installation.backends.files ?? '', 'scratch/x~1')),
    found: /leftover: .*scratch\/x~1/,
  },
  'a layer that was merged and is still there': {
    plant: async ({ installation, volume }) => {
      await mkdir(join(installation.backends.files ?? '', 'merged'))
      await link(join(volume, '1.qcow2'), join(installation.backends.files ?? '', 'merged/7-1.qcow2'))
    },
    found: /leftover: .*merged\/7-1.qcow2/,
  },
  'a foreign file in a backend': {
    plant: ({ installation }) => writeFile(join(installation.backends.files ?? '', 'notes'), ''),
    found: /leftover: .*volumes\/notes/,
  },
  'a foreign file beside the layers': {
    plant: ({ volume }) => writeFile(join(volume, '1.qcow2.old'), ''),
    found: /should hold 0.raw, 1.qcow2, …, it has .*1.qcow2.old/,
  },
  'a layer with an unknown name': {
    plant: ({ volume, installation }) => link(join(volume, '0.raw'), join(installation.dataFolder, 'kept')),
    found: /has 3 names, 2 of them known/,
  },
  'a volume of another size': {
    plant: ({ sql }) => sql(`update volumes set size_bytes = 42`),
    found: /volume 1{8}-.* has 1048576 bytes, the database says 42/,
  },
  'a broken qcow2 layer': {
    plant: async ({ volume }) => {
      const path = join(volume, '1.qcow2')
      const bytes = await readFile(path)
      // A cluster that is in use, but not counted as such.
      bytes.fill(0, 2 * 65_536, 2 * 65_536 + 2)
      await writeFile(path, bytes)
    },
    found: /qemu-img check of .*1.qcow2/,
  },
  'an image whose bytes changed': {
    plant: ({ image }) => writeFile(image, 'bytes of an imagE'),
    found: /its md5 is .* in the database/,
  },
  'an image of another size': {
    plant: ({ image }) => appendFile(image, '!'),
    found: /its size is 17 in the database, 18 in its file/,
  },
  'an active image without a file': {
    plant: ({ image }) => rm(image),
    found: /image 3{8}-.* has no file/,
  },
  'a file of a queued image': {
    plant: ({ sql }) => sql(`update images set status = 'queued'`),
    found: /leftover: .*images\/images\/3{8}/,
  },
  'a stage': {
    plant: ({ installation }) => writeFile(join(installation.stores.local ?? '', 'stages', IDS.stranger), ''),
    found: /leftover: .*stages\/9{8}/,
  },
  'a chunk that is missing': {
    plant: ({ repository, objects }) => rm(join(repository.root, objects.chunks[2] ?? '')),
    found: /missing object: d\/project-1\/c\//,
  },
  'an index page that is missing': {
    plant: ({ repository, objects }) => rm(join(repository.root, objects.pages[1] ?? '')),
    found: /backup 4{8}-.*ENOENT/,
  },
  'a chunk with a flipped bit': {
    plant: async ({ repository, objects }) => {
      const path = join(repository.root, objects.chunks[0] ?? '')
      const bytes = await readFile(path)
      bytes[50] = (bytes[50] ?? 0) ^ 1
      await writeFile(path, bytes)
    },
    found: /is not authentic/,
  },
  'a truncated chunk': {
    plant: ({ repository, objects }) => truncate(join(repository.root, objects.chunks[0] ?? ''), 100),
    found: /its header says/,
  },
  'a chunk under the name of another': {
    plant: ({ repository, objects }) =>
      copyFile(
        join(repository.root, objects.chunks[0] ?? ''),
        join(repository.root, objects.chunks[1] ?? ''),
      ),
    found: /is not authentic/,
  },
  'a chunk with the bytes of another, sealed for its own name': {
    plant: ({ repository, objects }) => repository.put(objects.chunks[0] ?? '', Buffer.from('other bytes')),
    found: /holds bytes of another id/,
  },
  'a record with a page too few': {
    plant: ({ repository, backupBytes }) => repository.backup(IDS.backup, backupBytes, { pages: [] }),
    found: /lists no pages, 2 are due|lists 0 pages, 2 are due/,
  },
  'a backup without a record': {
    plant: ({ repository }) => rm(join(repository.root, `d/${PROJECT}/r/${IDS.backup}`)),
    found: /backup 4{8}-.* has no committed record/,
  },
  'a record without a backup': {
    plant: ({ repository, backupBytes }) => repository.backup(IDS.stranger, backupBytes),
    found: /committed record without a backup in the database: 9{8}/,
  },
  'an open record': {
    plant: ({ repository, backupBytes }) => repository.backup(IDS.stranger, backupBytes, { state: 'open' }),
    found: /record of backup 9{8}-.* is open/,
  },
  'an aborted record after a collection': {
    plant: ({ repository, backupBytes }) =>
      repository.backup(IDS.stranger, backupBytes, { state: 'aborted' }),
    found: /record of backup 9{8}-.* is aborted/,
  },
  'a committed record of a backup in error': {
    plant: ({ sql }) => sql(`update backups set status = 'error'`),
    found: /is in error, its record is committed/,
  },
  'a backup of another size': {
    plant: ({ sql }) => sql(`update backups set size_bytes = 1`),
    found: /its size is 1 in the database/,
  },
  'an object that nobody refers to': {
    plant: ({ repository }) =>
      repository.put(`d/${PROJECT}/c/${foreignId().slice(0, 2)}/${foreignId()}.1`, Buffer.from('lost')),
    found: /unreferenced chunk: d\/project-1\/c\//,
  },
  'a journal': {
    plant: ({ repository }) =>
      repository.put(`d/${PROJECT}/j/${IDS.backup}/0123456789abcdef-0`, Buffer.from('{}')),
    found: /leftover journal/,
  },
  'a list of condemned objects': {
    plant: ({ repository }) => repository.put('gc/2/0123456789abcdef-0', Buffer.alloc(37)),
    found: /leftover list: gc\/2/,
  },
  'a foreign object': {
    plant: ({ repository }) => writeFile(join(repository.root, 'README'), ''),
    found: /foreign object: README/,
  },
  'a temporary file in a target': {
    plant: async ({ repository }) => {
      await mkdir(join(repository.root, '.tmp'))
      await writeFile(join(repository.root, '.tmp/half'), 'half')
    },
    found: /target local: leftover: .tmp\/half/,
  },
  'a repository of another key': {
    plant: ({ installation }) => writeFile(installation.backupKeyFile, '00'.repeat(32)),
    found: /no key slot opens with this key file/,
  },
  'a socket in the temporary folder': {
    plant: ({ installation }) => writeFile(join(installation.temporaryFolder ?? '', 'nbd.sock'), ''),
    found: /leftover in the temporary folder: .*nbd.sock/,
  },
  'a process that works in the data folder': {
    plant: async ({ installation }) => {
      const child = spawn('sleep', ['60'], { cwd: installation.dataFolder })
      onTestFinished(() => void child.kill('SIGKILL'))
      await once(child, 'spawn')
    },
    found: /process \d+ is left: sleep 60 \(works in /,
  },
  'a process with a volume open': {
    plant: async ({ volume }) => {
      const child = spawn('sh', ['-c', 'exec sleep 60 3<"$0"', join(volume, '0.raw')])
      onTestFinished(() => void child.kill('SIGKILL'))
      await once(child, 'spawn')
      await expect.poll(() => readFile(`/proc/${child.pid}/cmdline`, 'utf8')).toMatch(/^sleep/)
    },
    found: /process \d+ is left: sleep 60 \(has .*0.raw open/,
  },
  'a secret in a log': {
    plant: ({ installation }) =>
      appendFile(join(installation.dataFolder, 'log/api.log'), `{"key":"${CANARY}"}`),
    found: /secret: the canary is in .*api.log/,
  },
  'the backup key in base64': {
    plant: ({ installation }) => appendFile(join(installation.dataFolder, 'x'), KEY_FILE.toString('base64')),
    found: /secret: the backup key \(base64\) is in/,
  },
  'the master key of a repository': {
    plant: ({ installation, repository }) =>
      appendFile(join(installation.dataFolder, 'x'), repository.masterKey.toString('hex')),
    found: /secret: the master key of target local is in/,
  },
  'a key slot that was altered': {
    plant: async ({ repository }) => {
      const path = join(repository.root, repository.slotKey)
      await writeFile(path, (await readFile(path, 'utf8')).replace('"label":""', '"label":"other"'))
    },
    found: /damaged key slot keys\/[0-9a-f]{16}: has a wrong seal/,
  },
  'the missing copy of a project key': {
    plant: ({ repository }) => rm(join(repository.root, `d/${PROJECT}/key`)),
    found: /key/,
  },
  'a secret in the database': {
    plant: ({ sql }) => sql(`update operations set error_message = 'bad credentials ${CANARY}'`),
    found: /secret: the canary is in .*volflow.db/,
  },
  'a secret across two blocks of a file': {
    plant: ({ installation }) =>
      writeFile(join(installation.dataFolder, 'big'), `${'-'.repeat(1024 * 1024 - 5)}${CANARY}`),
    found: /secret: the canary is in .*big/,
  },
  'a secret on a command line': {
    plant: async () => {
      const child = spawn('sh', ['-c', 'sleep 60; true', CANARY])
      onTestFinished(() => void child.kill('SIGKILL'))
      await once(child, 'spawn')
    },
    found: /secret: the canary is on the command line of process \d+ \(sh\)/,
  },
}

test.each(Object.entries(FAULTS))('%s is found', async (_title, { plant, found }) => {
  const sample = await makeSample(await tempDir())
  await plant(sample)
  const violations = await findViolations(sample.installation)
  expect(
    violations.filter((violation) => found.test(violation)),
    violations.join('\n'),
  ).not.toEqual([])
})

test('before a collection, unreferenced objects and aborted records are no violation', async () => {
  const { installation, repository, backupBytes } = await makeSample(await tempDir())
  await repository.put(`d/${PROJECT}/c/${foreignId().slice(0, 2)}/${foreignId()}.1`, Buffer.from('lost'))
  await repository.backup(IDS.stranger, backupBytes, { state: 'aborted' })
  const violations = await findViolations({ ...installation, collected: false })
  expect(violations).toEqual([expect.stringMatching(/holds bytes of another id/)])
})

test('all violations are in the message', async () => {
  const { installation, sql, image } = await makeSample(await tempDir())
  sql(`update volumes set status = 'creating'`)
  await rm(image)
  await expect(expectClean(installation)).rejects.toThrow(/is creating[^]*has no file/)
})
