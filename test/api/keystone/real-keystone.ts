import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { onTestFinished } from 'vitest'
import { keystonePython } from '../../../scripts/setup/keystone.ts'
import { tempDir } from '../../support/temp-dir.ts'

const SERVER = join(import.meta.dirname, 'serve-keystone.py')
const MANAGE = 'import sys; from keystone.cmd.manage import main; sys.exit(main())'

export interface RealKeystone {
  readonly url: string
  readonly password: string
  stop(): void
}

/** Debian's Keystone over a SQLite file, with its administrator `admin` in the project `admin`. */
export async function startRealKeystone(): Promise<RealKeystone> {
  const folder = await tempDir()
  const password = 'of the real administrator'
  for (const keys of ['fernet', 'credential']) await mkdir(join(folder, keys), { mode: 0o700 })
  await writeFile(
    join(folder, 'keystone.conf'),
    [
      `[database]\nconnection = sqlite:///${folder}/keystone.db`,
      `[fernet_tokens]\nkey_repository = ${folder}/fernet`,
      `[credential]\nkey_repository = ${folder}/credential\n`,
    ].join('\n'),
  )
  const env = { ...keystonePython.env, OS_KEYSTONE_CONFIG_DIR: folder }
  const manage = (...args: string[]) =>
    execa(keystonePython.command, ['-c', MANAGE, '--config-file', join(folder, 'keystone.conf'), ...args], {
      env,
      timeout: 120_000,
    })
  await manage('db_sync')
  const owner = ['--keystone-user', 'root', '--keystone-group', 'root']
  await manage('fernet_setup', ...owner)
  await manage('credential_setup', ...owner)
  await manage('bootstrap', '--bootstrap-password', password)
  const child = spawn(keystonePython.command, [SERVER], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const stop = () => void child.kill('SIGKILL')
  onTestFinished(stop)
  for await (const chunk of child.stdout) {
    return { url: `http://127.0.0.1:${String(chunk).trim()}/v3`, password, stop }
  }
  throw new Error('Expected Keystone to start')
}
