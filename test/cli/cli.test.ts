import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { OperationEnd } from '../../domain/operations.ts'
import { MiB } from '../../domain/sizes.ts'
import type { Operation } from '../../sdk/types.ts'
import { runToEnd } from '../api/end-operation.ts'
import { startApi, type TestApi } from '../api/start-api.ts'
import { pseudoRandom } from '../support/small-images.ts'
import { tempDir } from '../support/temp-dir.ts'
import { playWorker, runCli } from './run-cli.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const SUCCESS: OperationEnd = { outcome: 'succeeded', result: { path: 'blank', virtualSizeBytes: MiB } }

test('A piped command returns at once, and says how to follow what it started', async () => {
  const { url, client } = await startApi()
  const { stdout, stderr, exitCode } = await runCli(url, [
    'volume',
    'create',
    '--size',
    '10M',
    '--name',
    'data',
  ])
  const [operation] = (await client.listOperations()).items
  expect(exitCode).toBe(0)
  expect(stdout).toBe(`Accepted: create-volume volume ${operation?.resourceId}, operation ${operation?.id}`)
  expect(stderr).toBe(`Follow it with: volflow operation watch ${operation?.id}`)
  expect(await client.showVolume(operation?.resourceId ?? '')).toMatchObject({
    name: 'data',
    sizeBytes: 10 * MiB,
  })
})

test('A piped command that waits prints a plain line for each phase', async () => {
  const api = await startWorking(SUCCESS, 100)
  const { stdout, stderr, exitCode } = await runCli(api.url, ['volume', 'create', '--size', '1G', '--wait'])
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/^create-volume [0-9a-f-]{36} succeeded after \d+\.\d s, path blank$/)
  const lines = stderr.split('\n')
  expect(lines.filter((line) => line.includes('copying'))).toHaveLength(1)
  expect(lines.find((line) => line.includes('copying'))).toMatch(
    /^0:0\d {2}create-volume {2}copying {2}25 % {2}256 MiB of 1 GiB/,
  )
  expect(lines.some((line) => line.includes('verifying'))).toBe(true)
  expect(stderr).not.toContain('\u001b')
})

test('With --json a command prints one document, waiting or not', async () => {
  const api = await startWorking(SUCCESS, 10)
  const at = await runCli(api.url, ['volume', 'create', '--size', '1M', '--json'])
  expect(JSON.parse(at.stdout)).toMatchObject({
    volume: { status: 'creating' },
    operation: { state: expect.stringMatching(/^(pending|running)$/) },
  })
  const waited = await runCli(api.url, ['volume', 'create', '--size', '1M', '--json', '--wait'])
  expect(JSON.parse(waited.stdout)).toMatchObject({
    volume: { status: 'available' },
    operation: { state: 'succeeded' },
  })
  expect(waited.stderr).toBe('')
  const list = await runCli(api.url, ['volume', 'list', '--json'])
  expect(JSON.parse(list.stdout)).toMatchObject({ items: [{}, {}], next: null })
})

test('A failed operation is exit code 1 with its reason, in text and in JSON', async () => {
  const api = await startWorking(
    { outcome: 'failed', error: { code: 'full', message: 'The disk is full' } },
    1,
  )
  const text = await runCli(api.url, ['volume', 'create', '--size', '1M', '--wait'])
  expect(text).toMatchObject({ exitCode: 1, stdout: '' })
  expect(text.stderr).toMatch(/failed after .*: The disk is full \[full\]$/)
  const json = await runCli(api.url, ['volume', 'create', '--size', '1M', '--wait', '--json'])
  expect(json.exitCode).toBe(1)
  expect(JSON.parse(json.stdout)).toMatchObject({ operation: { state: 'failed', error: { code: 'full' } } })
})

test('A cancelled operation is exit code 6, and cancelling it is a success', async () => {
  const api = await startApi()
  const { operation } = await api.client.createVolume({ sizeBytes: MiB })
  const cancel = await runCli(api.url, ['operation', 'cancel', operation.id, '--wait'])
  expect(cancel).toMatchObject({ exitCode: 0, stdout: `Operation ${operation.id} is cancelled` })
  const watch = await runCli(api.url, ['operation', 'watch', operation.id])
  expect(watch.exitCode).toBe(6)
  const again = await runCli(api.url, ['operation', 'cancel', operation.id])
  expect(again.exitCode).toBe(4)
})

test('Watching with --json prints a line for each change', async () => {
  const api = await startWorking(SUCCESS, 500)
  const { operation } = await api.client.createVolume({ sizeBytes: MiB })
  const { stdout, exitCode } = await runCli(api.url, ['operation', 'watch', operation.id, '--json'])
  const states = stdout.split('\n').map((line) => (JSON.parse(line) as { state: string }).state)
  expect(exitCode).toBe(0)
  expect(states.at(-1)).toBe('succeeded')
  expect(states.length).toBeGreaterThan(1)
})

test.for<[string, string[], number, RegExp]>([
  ['an unknown volume', ['volume', 'show', NOWHERE], 3, /could not be found/],
  [
    'an unknown name',
    ['volume', 'show', 'nobody'],
    3,
    /no volume with the name or id "nobody".*volflow volume list/,
  ],
  ['an unknown operation', ['operation', 'watch', NOWHERE], 3, /could not be found/],
  ['a size without unit', ['volume', 'create', '--size', '10'], 2, /such as 10G, 512M or 1\.5T, got "10"/],
  ['a negative size', ['volume', 'create', '--size=-1G'], 2, /got "-1G"/],
  ['a size of no MiB', ['volume', 'create', '--size', '1K'], 2, /whole number of MiB/],
  ['an unknown command', ['volume', 'destroy'], 2, /unknown command 'destroy'/],
  ['an unknown option', ['volume', 'list', '--colour'], 2, /unknown option '--colour'/],
  ['no format', ['image', 'create'], 2, /--disk-format/],
  ['an unknown format', ['image', 'create', '--disk-format', 'vhd'], 2, /Allowed choices are qcow2, raw/],
  [
    'a missing file',
    ['image', 'create', '--disk-format', 'raw', '--file', '/nowhere/x'],
    2,
    /readable file, got "\/nowhere\/x"/,
  ],
  ['an unusable address', ['volume', 'list', '--url', 'ftp://x'], 2, /http address/],
])(
  'A command with %s ends with its own exit code and says what to do',
  async ([, args, exitCode, message]) => {
    const { url } = await startApi()
    const text = await runCli(url, args)
    expect(text.stderr).toMatch(message)
    expect(text).toMatchObject({ exitCode, stdout: '' })
    const json = await runCli(url, [...args, '--json'])
    expect(json.exitCode).toBe(exitCode)
    expect(JSON.parse(json.stdout)).toHaveProperty('error.code')
  },
)

test('An API that is not there is exit code 5 and a hint', async () => {
  const { exitCode, stderr } = await runCli('http://127.0.0.1:1', ['volume', 'list'])
  expect(exitCode).toBe(5)
  expect(stderr).toMatch(/Is `volflow up` running\?/)
})

test('A busy volume is exit code 4 and names the operation', async () => {
  const { url, client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB, name: 'busy' })
  await runToEnd(database, operation.id)
  const backup = await client.createBackup({ volumeId: operation.resourceId })
  const { exitCode, stderr } = await runCli(url, ['volume', 'delete', 'busy'])
  expect(exitCode).toBe(4)
  expect(stderr).toContain(`volflow operation cancel ${backup.operation.id}`)
})

test('A name stands for an id, unless several have it', async () => {
  const { url, client } = await startApi()
  const one = await client.createVolume({ sizeBytes: MiB, name: 'data' })
  const shown = await runCli(url, ['volume', 'show', 'data'])
  expect(shown.stdout).toMatch(new RegExp(`^id +${one.operation.resourceId}\nname +data\nstatus +creating`))
  const two = await client.createVolume({ sizeBytes: MiB, name: 'data' })
  const ambiguous = await runCli(url, ['volume', 'show', 'data'])
  expect(ambiguous.exitCode).toBe(2)
  expect(ambiguous.stderr).toContain(one.operation.resourceId)
  expect(ambiguous.stderr).toContain(two.operation.resourceId)
})

test('Lists are aligned, tell of more, and no name acts on the terminal', async () => {
  const { url, client, database } = await startApi()
  await client.createVolume({ sizeBytes: MiB, name: '日本' })
  const { operation } = await client.createVolume({ sizeBytes: 2048 * MiB, name: 'long-name' })
  await database
    .updateTable('volumes')
    .set({ name: 'evil\u001b[2J' })
    .where('id', '=', operation.resourceId)
    .execute()
  const { stdout } = await runCli(url, ['volume', 'list'])
  const [head = '', evil = '', wide = ''] = stdout.split('\n')
  expect(head).toMatch(/^ID {36}NAME {6}STATUS {4}SIZE {3}CREATED$/)
  expect(evil).toContain('  evil [2J  creating  2 GiB  ')
  expect(wide).toContain('  日本      creating  1 MiB  ')
  const page = await runCli(url, ['volume', 'list', '--limit', '1'])
  expect(page.stderr).toMatch(/--marker [0-9a-f-]{36} shows the next page/)
})

test('An image is created, uploaded and shown with its hashes', async () => {
  const api = await startWorking(SUCCESS, 1)
  const file = join(await tempDir(), 'disk.raw')
  await writeFile(file, pseudoRandom(MiB, 5))
  const create = ['image', 'create', '--file', file, '--disk-format', 'raw', '--name', 'debian', '--wait']
  const { exitCode, stdout, stderr } = await runCli(api.url, create)
  expect(stdout).toMatch(/^upload-image .* succeeded/)
  expect(stderr).toContain('uploading')
  expect(exitCode).toBe(0)
  const shown = await runCli(api.url, ['image', 'show', 'debian'])
  expect(shown.stdout).toMatch(/\nstatus +active\n[^]*\nsha512 +[0-9a-f]{128}/)
  const queued = await runCli(api.url, ['image', 'create', '--disk-format', 'raw', '--json'])
  const { image } = JSON.parse(queued.stdout) as { image: { id: string; status: string } }
  expect(image.status).toBe('queued')
  const uploaded = await runCli(api.url, ['image', 'upload', image.id, '--file', file, '--json', '--wait'])
  expect(JSON.parse(uploaded.stdout)).toMatchObject({ image: { id: image.id, status: 'active' } })
})

test('Snapshots, backups, restore and collection have their commands', async () => {
  const api = await startWorking(SUCCESS, 1)
  const run = async (...args: string[]) => {
    const { stdout, stderr, exitCode } = await runCli(api.url, [...args, '--json', '--wait'])
    expect(exitCode, stderr + stdout).toBe(0)
    return JSON.parse(stdout) as Record<string, { id: string; status: string }>
  }
  await run('volume', 'create', '--size', '4M', '--name', 'v')
  await run('snapshot', 'create', 'v', '--name', 's', '--metadata', 'why=test', '--metadata', 'a=b=c')
  expect(
    await run('volume', 'create', '--snapshot', 's', '--flatten', '--size', '8M', '--name', 'c'),
  ).toMatchObject({
    volume: { status: 'available', sizeBytes: 8 * MiB },
  })
  await run('backup', 'create', 'v', '--name', 'full', '--target', 's3')
  expect(
    await run('backup', 'create', 'v', '--name', 'more', '--target', 's3', '--incremental'),
  ).toMatchObject({
    backup: { incremental: true },
  })
  expect(await run('backup', 'restore', 'full', '--name', 'restored')).toMatchObject({
    volume: { status: 'available', metadata: { src_backup_id: expect.any(String) } },
  })
  await run('target', 'collect', 's3', '--dry-run', '--force')
  await run('snapshot', 'delete', 's')
  await run('backup', 'delete', 'more')
  await run('volume', 'delete', 'c')
  const list = await runCli(api.url, ['operation', 'list', '--state', 'succeeded'])
  expect(list.stdout.split('\n')).toHaveLength(11)
})

test('One idempotency key on the command line starts one operation', async () => {
  const { url, client } = await startApi()
  const args = ['volume', 'create', '--size', '1M', '--idempotency-key', 'k-9']
  await Promise.all([runCli(url, args), runCli(url, args), runCli(url, args)])
  expect((await client.listOperations()).items).toHaveLength(1)
  const file = join(await tempDir(), 'disk.raw')
  await writeFile(file, 'bytes')
  const image = ['image', 'create', '--file', file, '--disk-format', 'raw', '--idempotency-key', 'k-10']
  expect((await runCli(url, image)).stdout).toMatch(/^Accepted: upload-image/)
  expect((await runCli(url, image)).stdout).toMatch(/is saving$/)
  expect((await client.listImages()).items).toHaveLength(1)
})

/** An API whose operations end as told. */
async function startWorking(end: OperationEnd, stepMs: number): Promise<TestApi> {
  const api: TestApi = await startApi({
    dispatch: (operationId) =>
      stepMs > 1
        ? playWorker(api.database, operationId, { stepMs, end })
        : runToEnd(api.database, operationId, end),
  })
  return api
}

test('A volume is extended, cloned, flattened and reverted, and an image deleted, by their names', async () => {
  const { url, client, database } = await startApi()
  const accepted = async (...args: string[]) => {
    const { stdout, stderr } = await runCli(url, [...args, '--json'])
    const { operation } = JSON.parse(stdout || stderr) as { operation: Operation }
    await runToEnd(database, operation.id, { ...SUCCESS, result: { sizeBytes: 2 * MiB } })
    return operation
  }
  const { resourceId: volumeId } = await accepted('volume', 'create', '--size', '1M', '--name', 'root')
  expect(await accepted('volume', 'extend', 'root', '--size', '2M')).toMatchObject({ kind: 'extend-volume' })
  expect(await client.showVolume(volumeId)).toMatchObject({ sizeBytes: 2 * MiB })
  await accepted('snapshot', 'create', 'root', '--name', 'before')
  const revert = await accepted('volume', 'revert', 'root', '--snapshot', 'before')
  expect(revert).toMatchObject({ kind: 'revert-to-snapshot', resourceId: volumeId })
  const clone = await accepted('volume', 'create', '--source', 'root')
  expect(await client.showVolume(clone.resourceId)).toMatchObject({ sourceVolumeId: volumeId })
  expect(await accepted('volume', 'flatten', 'root')).toMatchObject({
    kind: 'flatten-volume',
    resourceId: volumeId,
  })
  await client.createImage({ diskFormat: 'raw', name: 'debian' })
  expect(await accepted('image', 'delete', 'debian')).toMatchObject({ kind: 'delete-image' })
  expect((await runCli(url, ['volume', 'extend', 'root', '--size', '1M'])).exitCode).toBe(2)
  expect((await runCli(url, ['volume', 'extend', 'root'])).exitCode).toBe(2)
})
