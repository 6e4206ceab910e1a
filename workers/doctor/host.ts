/** Programs that are started, what they promise, and what this host allows. */
import { access, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sandboxArguments } from '../../block-io/confined.ts'
import { runProcess } from '../../block-io/process.ts'
import type { Config } from '../../config/config.ts'
import { LIMITS } from '../../domain/limits.ts'
import { formatBytes } from '../../domain/sizes.ts'
import { findProgram } from '../programs.ts'
import { type Answer, type CheckResult, probe, warn } from './check.ts'

const PROGRAMS = ['setpriv', 'prlimit', 'flock', 'fallocate', 'qemu-img', 'qemu-storage-daemon', 'bwrap']
/** Processes of `volflow up`, each with its goal of memory. */
const PROCESSES = 4

export async function* hostChecks(config: Config): AsyncGenerator<CheckResult> {
  const secretFile = config.backupPassphraseFile ?? config.backupKeyFile
  for (const program of PROGRAMS) {
    const next = `Install it where PATH finds it.`
    yield await probe({ where: 'programs', check: program, next }, () => versionOf(program))
  }
  yield await probe(
    {
      where: 'programs',
      check: 'temporal',
      next: 'Needed by `volflow up` alone. npm run setup installs it.',
    },
    () => findProgram('temporal').catch((error: Error) => warn(error.message)),
  )
  const next = 'Allow unprivileged user namespaces: uploaded qcow2 images are opened in a sandbox only.'
  yield await probe({ where: 'programs', check: 'sandbox', next }, confinement)
  yield await probe(
    {
      where: 'host',
      check: 'backup key',
      next: `chmod 600 ${secretFile}, and keep a copy elsewhere. A rotation is finished by: volflow target keys rotate`,
    },
    () => keyFile(secretFile),
  )
  yield await probe(
    {
      where: 'host',
      check: 'webhook key',
      next: `chmod 600 ${config.webhooks.keyFile}. Without it each webhook needs a new secret.`,
    },
    () => keyFile(config.webhooks.keyFile),
  )
  yield await probe({ where: 'host', check: 'open files', next: 'ulimit -n 4096' }, openFiles)
  yield await probe({ where: 'host', check: 'memory', next: 'Give the service more memory.' }, memory)
}

async function versionOf(program: string): Promise<string> {
  const { stdout } = await runProcess(program, ['--version'], { timeoutMs: LIMITS.inspectionCallMs })
  return stdout.split('\n', 1)[0] ?? ''
}

/** The sandbox in which uploads are opened shows no file of ours, and no network. */
async function confinement(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'))
  try {
    const secret = join(folder, 'secret')
    await writeFile(secret, '')
    const inside = (...command: string[]) =>
      runProcess('bwrap', [...sandboxArguments(), '--', ...command], { timeoutMs: LIMITS.inspectionCallMs })
    await inside('/usr/bin/test', '!', '-e', secret)
    await inside('/usr/bin/test', '!', '-e', '/etc/passwd')
    const { stdout } = await inside('/usr/bin/cat', '/proc/net/dev')
    const interfaces = stdout.split('\n').flatMap((line) => /^\s*([\w.-]+):/.exec(line)?.[1] ?? [])
    if (interfaces.every((name) => name === 'lo')) return 'no foreign files, no network'
    throw new Error(`Expected no network in the sandbox, got ${interfaces.join(', ')}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function keyFile(path: string): Promise<Answer> {
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0) return warn('others can read it')
  for (const part of ['next', 'previous']) {
    if (await isThere(`${path}.${part}`)) return warn('its rotation was begun and not finished')
  }
  return 'readable by its owner alone'
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function openFiles(): Promise<Answer> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1] ?? 'unknown'
  return Number(soft) < LIMITS.openFilesPerProcess ? warn(soft) : soft
}

function memory(): Answer {
  const bytes = process.availableMemory()
  const value = `${formatBytes(bytes)} available`
  return bytes < PROCESSES * LIMITS.rssGoalBytes ? warn(value) : value
}
