/** The doctor on a healthy installation, and what it says to each fault. */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Config } from '../../config/config.ts'
import { createOrOpenRepository } from '../../backup-format/repository.ts'
import { loadConfig } from '../../config/load.ts'
import { openTarget } from '../../drivers/backups/registry.ts'
import { hostChecks } from '../../workers/doctor/host.ts'
import { targetChecks } from '../../workers/doctor/targets.ts'
import { configuredKeyring } from '../../workers/keyring.ts'
import { findProgram } from '../../workers/programs.ts'
import type { CheckResult } from '../../workers/doctor/check.ts'
import { doctor } from '../../workers/doctor/doctor.ts'
import { expectClean } from '../checker/check.ts'
import { startForgetfulS3 } from '../faults/forgetful-s3.ts'
import { ON_POSTGRES } from '../support/postgres-wanted.ts'
import { tempDir } from '../support/temp-dir.ts'
import { Installation } from './installation.ts'
import { ended, MiB } from './steps.ts'
import { freePort, listen } from '../../scripts/ports.ts'

const MAIN = join(import.meta.dirname, '../../workers/main.ts')

let installation: Installation
let config: Config

beforeAll(async () => {
  installation = await Installation.start({ s3: true })
  config = await loadConfig(installation.dataFolder)
  const { client } = installation
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ sizeBytes: MiB }))
  for (const target of ['local', 's3']) {
    await ended(installation, client.createBackup({ volumeId, target }))
    const recoveryKey = [
      'target',
      'keys',
      'recovery-key',
      target,
      '--file',
      join(installation.folder, `recovery-key-of-${target}`),
    ]
    await execa(process.execPath, [MAIN, ...recoveryKey, '--data', installation.dataFolder])
  }
}, 180_000)

afterAll(async () => {
  await expectClean(installation.checked())
  await installation[Symbol.asyncDispose]()
}, 60_000)

test('on a healthy installation everything is ok, no secret is shown, and nothing is left behind', async () => {
  const before = await readdir(installation.dataFolder, { recursive: true })
  const { stdout, exitCode } = await runDoctor(process.env.PATH ?? '')
  const results = stdout.split('\n').map((line) => JSON.parse(line) as CheckResult)
  expect(results.filter(({ state }) => state !== 'ok')).toEqual([])
  expect(exitCode).toBe(0)
  expect(new Set(results.map(({ where }) => where))).toEqual(
    new Set([
      ...['programs', 'host', 'database', 'temporal', 'backend files', 'store local'],
      ...['target local', 'target s3'],
    ]),
  )
  const key = (await readFile(config.backupKeyFile, 'utf8')).trim()
  const { secretAccessKey } = JSON.parse(await readFile(s3Target().credentialsFile, 'utf8')) as {
    secretAccessKey: string
  }
  for (const secret of [key, secretAccessKey]) expect(stdout).not.toContain(secret)
  const after = await readdir(installation.dataFolder, { recursive: true })
  const made = after.filter((name) => !before.includes(name) && !/^(temporal|volflow)\.db|^log/.test(name))
  expect(made.filter((name) => !name.startsWith('backups/.lock/'))).toEqual(['backups/doctor'])
}, 60_000)

test('a folder in which nobody can write', async () => {
  const backends = { files: { driver: 'file' as const, path: '/sys/kernel' } }
  expect(await failing({ ...config, backends })).toContain('backend files: writable')
}, 60_000)

test('a folder that is not there', async () => {
  const targets = { local: { driver: 'directory' as const, path: join(installation.folder, 'unmounted') } }
  expect(await failing({ ...config, targets })).toEqual(['target local: folder'])
}, 60_000)

test('a backup key that is not the one of the repositories', async () => {
  const backupKeyFile = join(installation.folder, 'other.key')
  await writeFile(backupKeyFile, randomBytes(32).toString('hex'), { mode: 0o600 })
  const failed = await failing({ ...config, backupKeyFile })
  expect(failed).toEqual(['target local: repository', 'target s3: repository'])
}, 60_000)

test('a target without a recovery key, a slot that is damaged, a rotation that nobody finished', async () => {
  const config = await loadConfig(await tempDir(), {})
  const target = openTarget({
    driver: 'directory',
    path: (await mkdir(join(config.dataFolder, 'backups'), { recursive: true })) ?? '',
  })
  await createOrOpenRepository(target, await configuredKeyring(config))
  const warnings = async () => {
    const results = await Array.fromAsync(targetChecks(config, 'local', config.targets.local ?? s3Target()))
    return results.flatMap(({ state, check, value, next }) =>
      state === 'warn' ? [`${check}: ${value}. ${next}`] : [],
    )
  }
  expect(await warnings()).toEqual([
    expect.stringMatching(/^key slots: no recovery key. .*volflow target keys recovery-key local$/),
  ])
  await writeFile(join(config.dataFolder, 'backups/keys/0123456789abcdef'), 'noise')
  expect(await warnings()).toEqual([expect.stringContaining('keys remove local 0123456789abcdef')])
  await writeFile(`${config.backupKeyFile}.next`, '')
  const [host] = (await Array.fromAsync(hostChecks(config))).filter(({ check }) => check === 'backup key')
  expect(host).toMatchObject({ state: 'warn', next: expect.stringContaining('volflow target keys rotate') })
}, 60_000)

test('credentials that the S3 server does not know, without showing them', async () => {
  const credentialsFile = join(installation.folder, 'other.json')
  const secretAccessKey = randomBytes(16).toString('hex')
  await writeFile(credentialsFile, JSON.stringify({ accessKeyId: 'volflow-test', secretAccessKey }))
  const results = await Array.fromAsync(doctor({ ...config, targets: s3({ credentialsFile }) }))
  expect(failuresOf(results)).toEqual(['target s3: reachable'])
  expect(JSON.stringify(results)).not.toContain(secretAccessKey)
}, 60_000)

test('an S3 server that ignores If-None-Match', async () => {
  const endpoint = s3Target().endpoint
  const forgetful = await startForgetfulS3(endpoint, s3Target().credentialsFile)
  onTestFinished(() => forgetful.stop())
  const failed = await failing({ ...config, targets: s3({ endpoint: forgetful.endpoint }) })
  expect(failed).toEqual(['target s3: put if absent'])
}, 60_000)

test('an S3 server that has another time', async () => {
  const server = createServer((_request, response) => {
    response.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString())
    response.writeHead(403).end()
  })
  const endpoint = `http://127.0.0.1:${await listen(server)}`
  onTestFinished(() => void server.close())
  const failed = await failing({ ...config, targets: s3({ endpoint }) })
  expect(failed).toEqual(['target s3: clock', 'target s3: reachable'])
}, 60_000)

test('a program that PATH does not find', async () => {
  const folder = join(installation.folder, 'bin')
  await mkdir(folder)
  const others = ['setpriv', 'prlimit', 'flock', 'fallocate', 'qemu-storage-daemon', 'bwrap', 'temporal']
  for (const name of others) await symlink(await findProgram(name), join(folder, name))
  const { stdout, exitCode } = await runDoctor(folder)
  const results = stdout.split('\n').map((line) => JSON.parse(line) as CheckResult)
  expect(failuresOf(results)).toEqual(['programs: qemu-img'])
  expect(results.find(({ check }) => check === 'qemu-img')?.value).toContain('Debian package qemu-utils')
  expect(exitCode).toBe(1)
}, 60_000)

test('a Temporal server that is down', async () => {
  const temporal = { ...config.temporal, port: await freePort() }
  expect(await failing({ ...config, temporal })).toEqual(['temporal: reachable'])
}, 60_000)

test('a namespace that the Temporal server does not have', async () => {
  const failed = await failing({ ...config, temporal: { ...config.temporal, namespace: 'elsewhere' } })
  expect(failed).toEqual(expect.arrayContaining(['temporal: namespace', 'temporal: queue control']))
}, 60_000)

test('a place that no worker serves', async () => {
  const stores = { ...config.stores, other: { driver: 'file' as const, path: installation.folder } }
  expect((await failing({ ...config, stores })).toSorted()).toEqual([
    'temporal: queue store/other',
    'temporal: queue store/other/data',
  ])
}, 60_000)

test('a data folder in which nothing has started yet, and none is made by looking', async () => {
  const dataFolder = join(installation.folder, 'empty')
  await mkdir(dataFolder)
  const failed = await failing({ ...config, dataFolder, backupKeyFile: join(dataFolder, 'backup.key') })
  // PostgreSQL is not in the data folder.
  const missing = ['host: backup key', ...(ON_POSTGRES ? [] : ['database: opens'])]
  expect(failed).toEqual(expect.arrayContaining(missing))
  expect(await readdir(dataFolder)).toEqual([])
}, 60_000)

async function failing(changed: Config): Promise<string[]> {
  return failuresOf(await Array.fromAsync(doctor(changed)))
}

function failuresOf(results: readonly CheckResult[]): string[] {
  const failures = results.filter(({ state }) => state === 'fail')
  for (const { next } of failures) expect(next).not.toBe('')
  return failures.map(({ where, check }) => `${where}: ${check}`)
}

function s3Target() {
  const target = config.targets.s3
  if (target?.driver !== 's3') throw new Error('Expected an S3 target')
  return target
}

function s3(changed: Partial<ReturnType<typeof s3Target>>) {
  return { s3: { ...s3Target(), ...changed } }
}

function runDoctor(path: string) {
  const command = [MAIN, 'doctor', '--data', installation.dataFolder, '--json']
  return execa(process.execPath, command, { reject: false, env: { PATH: path, NODE_NO_WARNINGS: '1' } })
}
