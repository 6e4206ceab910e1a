/** `volflow target keys …` on a data folder of its own, without a service. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, it, vi } from 'vitest'
import { createOrOpenRepository, openRepository } from '../../backup-format/repository.ts'
import { createProgram } from '../../cli/program.ts'
import { runProgram } from '../../cli/run.ts'
import { loadConfig } from '../../config/load.ts'
import { openTarget } from '../../drivers/backups/registry.ts'
import { inspectionCommands } from '../../workers/inspection-commands.ts'
import { configuredKeyring, lookingKeyring } from '../../workers/keyring.ts'
import { tempDir } from '../support/temp-dir.ts'

const MAIN = join(import.meta.dirname, '../../workers/main.ts')

interface Answer {
  readonly exitCode: number
  readonly json: {
    readonly slots?: { id: string; kind: string; state: string; opens: boolean }[]
    readonly slot?: string
    readonly isNew?: boolean
    readonly error?: { code: string; message: string }
  }
}

let folder: string

beforeEach(async () => {
  folder = await tempDir()
  const config = await loadConfig(folder, {})
  await mkdir(join(folder, 'backups'))
  await createOrOpenRepository(localTarget(), await configuredKeyring(config))
})

it('a lost key file is replaced with the recovery key, and the slot of the lost one removed', async () => {
  const paper = join(folder, 'recovery')
  expect(await keys('recovery-key', 'local', '--file', paper)).toMatchObject({ exitCode: 0 })
  expect((await stat(paper)).mode & 0o777).toBe(0o600)
  expect(await keys('recovery-key', 'local', '--file', join(folder, 'second'))).toMatchObject({
    exitCode: 4,
    json: { error: { code: 'exists' } },
  })
  const lost = (await keys('list', 'local')).json.slots?.find(({ kind }) => kind === 'key-file')?.id ?? ''

  await rm(join(folder, 'keys/backup.key'))
  const closed = await keys('list', 'local')
  expect(closed.exitCode).toBe(1)
  expect(closed.json.slots).toMatchObject([{ state: 'unknown', opens: false }, { kind: 'recovery-key' }])
  expect(await keys('add', 'local')).toMatchObject({ exitCode: 1 })
  const recovered = ['--unlock-recovery-key', paper]
  expect(await keys('add', 'local', ...recovered)).toMatchObject({ exitCode: 0, json: { isNew: true } })
  expect(await keys('add', 'local', ...recovered)).toMatchObject({ exitCode: 0, json: { isNew: false } })
  expect(await keys('remove', 'local', lost)).toMatchObject({ exitCode: 0 })
  expect((await keys('list', 'local')).json.slots).toMatchObject([
    { kind: 'recovery-key', state: 'intact', opens: false },
    { kind: 'key-file', state: 'intact', opens: true },
  ])
  expect(await openRepository(localTarget(), lookingKeyring(await loadConfig(folder, {})))).toBeDefined()
}, 60_000)

it('nothing is removed without proof that something else opens, and never the last slot', async () => {
  const [only] = (await keys('list', 'local')).json.slots ?? []
  const refused = { exitCode: 4, json: { error: { code: 'not-proved' } } }
  expect(await keys('remove', 'local', only?.id ?? '')).toMatchObject(refused)
  const paper = join(folder, 'recovery')
  await keys('recovery-key', 'local', '--file', paper)
  expect(await keys('remove', 'local', only?.id ?? '')).toMatchObject(refused)
  expect(await keys('remove', 'local', 'none')).toMatchObject({ exitCode: 3 })
  const proof = ['--unlock-recovery-key', paper]
  expect(await keys('remove', 'local', only?.id ?? '', ...proof)).toMatchObject({ exitCode: 0 })
  const [last] = (await keys('list', 'local', ...proof)).json.slots ?? []
  expect(await keys('remove', 'local', last?.id ?? '', ...proof)).toMatchObject(refused)
}, 60_000)

it('a passphrase in a file of its own takes the place of the key file', async () => {
  const file = join(folder, 'passphrase')
  await writeFile(file, 'short\n', { mode: 0o600 })
  expect((await keys('add', 'local', '--passphrase', file)).json.error?.message).toContain(
    '12 to 1024 characters',
  )
  await writeFile(file, 'drei Schritte nach links\n', { mode: 0o600 })
  expect(await keys('add', 'local', '--passphrase', file)).toMatchObject({ exitCode: 0 })
  await writeFile(join(folder, 'volflow.yaml'), 'backupPassphraseFile: passphrase\n')
  await rm(join(folder, 'keys'), { recursive: true })
  expect(
    await openRepository(localTarget(), await configuredKeyring(await loadConfig(folder, {}))),
  ).toBeDefined()
  expect(await readdir(folder)).not.toContain('keys')
}, 60_000)

it('a wrong recovery key is refused with the group that is wrong, before anything is opened', async () => {
  const paper = join(folder, 'recovery')
  await keys('recovery-key', 'local', '--file', paper)
  const right = (await readFile(paper, 'utf8')).trim()
  await writeFile(paper, right.slice(0, -1) + String((Number(right.at(-1)) + 1) % 10))
  const { json, exitCode } = await keys('list', 'local', '--unlock-recovery-key', paper)
  expect(exitCode).toBe(1)
  expect(json.error?.message).toContain('group 8')
}, 60_000)

it('a damaged slot is shown as damaged by whoever opens another one', async () => {
  const paper = join(folder, 'recovery')
  const { slot = '' } = (await keys('recovery-key', 'local', '--file', paper)).json
  const path = join(folder, 'backups/keys', slot)
  await writeFile(
    path,
    (await readFile(path, 'utf8')).replace('"wrapped":"', '"wrapped":"0').replace(/.","/, '","'),
  )
  const found = (await keys('list', 'local')).json.slots?.find(({ id }) => id === slot)
  expect(found).toMatchObject({ state: 'damaged' })
}, 60_000)

it('a rotation that died after the swap is finished by the next one', async () => {
  const key = join(folder, 'keys/backup.key')
  await rename(key, `${key}.previous`)
  await writeFile(key, randomBytes(32).toString('hex'), { mode: 0o600 })
  expect(await keys('rotate')).toMatchObject({ exitCode: 0 })
  expect((await keys('list', 'local')).json.slots).toMatchObject([{ kind: 'key-file', opens: true }])
}, 60_000)

it('on a terminal, the recovery key is shown once and counts only after it was typed again', async () => {
  const command = `'${process.execPath}' '${MAIN}' target keys recovery-key local --data '${folder}'`
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  const asked = new Promise<string>((resolve) => {
    terminal.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString()
      const shown = /\d{6}(?:-\d{6}){7}/.exec(output)?.[0]
      if (shown !== undefined && output.includes('Type it')) resolve(shown)
    })
  })
  const key = await asked
  expect(await readdir(join(folder, 'backups/keys'))).toHaveLength(1)
  terminal.stdin.write(`${key.slice(0, -1)}${(Number(key.at(-1)) + 1) % 10}\r`)
  await expect.poll(() => output, { timeout: 20_000 }).toContain('group 8')
  terminal.stdin.write(`${key.replaceAll('-', ' ')}\r`)
  await once(terminal, 'exit')
  expect(await readdir(join(folder, 'backups/keys'))).toHaveLength(2)
  await writeFile(join(folder, 'typed'), key)
  expect(await keys('list', 'local', '--unlock-recovery-key', join(folder, 'typed'))).toMatchObject({
    exitCode: 0,
  })
}, 60_000)

function localTarget() {
  return openTarget({ driver: 'directory', path: join(folder, 'backups') })
}

async function keys(...args: string[]): Promise<Answer> {
  const program = createProgram()
  inspectionCommands(program, folder)
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  try {
    const exitCode = await runProgram(program, ['node', 'volflow', 'target', 'keys', ...args, '--json'])
    return { exitCode, json: JSON.parse(written.mock.calls.join('')) as Answer['json'] }
  } finally {
    vi.restoreAllMocks()
  }
}
