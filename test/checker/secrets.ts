/** Looks for secrets in places where none may be. */
import { createReadStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import type { CheckedInstallation, TargetPlace } from './installation.ts'
import { filesBelow, openObjects } from './repository/objects.ts'
import { openReader, readKeyFile } from './repository/reader.ts'

/** One secret in one of the forms in which it could have been written down. */
export interface Needle {
  readonly label: string
  readonly bytes: Buffer
}

export async function needlesOf(installation: CheckedInstallation): Promise<Needle[]> {
  const backupKey = await readKeyFile(installation.backupKeyFile)
  const needles = keyForms('the backup key', backupKey)
  for (const [name, target] of Object.entries(installation.targets)) {
    const masterKey = await masterKeyOfTarget(target, backupKey)
    if (masterKey !== undefined) needles.push(...keyForms(`the master key of target ${name}`, masterKey))
    if (target.kind === 's3')
      needles.push(...textForms(`the credentials of target ${name}`, target.secretAccessKey))
  }
  if (installation.database !== undefined)
    needles.push(...textForms("the database's password", installation.database.password))
  for (const [label, value] of Object.entries(installation.secrets ?? {}))
    needles.push(...textForms(label, value))
  return needles
}

/** Undefined where there is no repository, or it does not open: other checks say that. */
async function masterKeyOfTarget(target: TargetPlace, backupKey: Buffer): Promise<Buffer | undefined> {
  const objects = openObjects(target)
  try {
    return (await openReader(objects, backupKey)).masterKey
  } catch {
    return undefined
  } finally {
    objects.close()
  }
}

function keyForms(label: string, key: Buffer): Needle[] {
  return [
    ...textForms(label, key.toString('hex')),
    { label: `${label} (raw)`, bytes: key },
    { label: `${label} (base64)`, bytes: Buffer.from(key.toString('base64').replace(/=+$/, '')) },
  ]
}

function textForms(label: string, value: string): Needle[] {
  return [
    { label, bytes: Buffer.from(value) },
    {
      label: `${label} (base64)`,
      bytes: Buffer.from(Buffer.from(value).toString('base64').replace(/=+$/, '')),
    },
  ]
}

/** Labels of the needles in the bytes. */
export function needlesIn(needles: readonly Needle[], bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return needles.filter((needle) => buffer.includes(needle.bytes)).map((needle) => needle.label)
}

/**
 * Every file of the data folder that is neither a volume, an image, a backup nor made for secrets: databases with their journals,
 * logs, configuration, caches. And every command line of this machine.
 */
export async function checkSecrets(installation: CheckedInstallation): Promise<string[]> {
  const needles = await needlesOf(installation)
  return [...(await checkFiles(installation, needles)), ...(await checkCommandLines(needles))]
}

async function checkFiles(installation: CheckedInstallation, needles: readonly Needle[]): Promise<string[]> {
  const apart = [
    ...Object.values(installation.backends),
    ...Object.values(installation.stores),
    ...Object.values(installation.targets).flatMap((target) =>
      target.kind === 'directory' ? [target.path] : [],
    ),
    ...(installation.secretFiles ?? []),
    installation.backupKeyFile,
  ]
  const violations: string[] = []
  for (const path of await filesBelow(installation.dataFolder)) {
    if (apart.some((place) => path === place || path.startsWith(`${place}/`))) continue
    for (const label of await needlesInFile(needles, path)) violations.push(`secret: ${label} is in ${path}`)
  }
  return violations
}

async function needlesInFile(needles: readonly Needle[], path: string): Promise<Set<string>> {
  const longest = Math.max(...needles.map((needle) => needle.bytes.length))
  const found = new Set<string>()
  let tail: Buffer = Buffer.alloc(0)
  try {
    for await (const bytes of createReadStream(path, {
      highWaterMark: 1024 * 1024,
    }) as AsyncIterable<Buffer>) {
      const window = Buffer.concat([tail, bytes])
      for (const label of needlesIn(needles, window)) found.add(label)
      tail = window.subarray(-longest)
    }
  } catch (error) {
    // A journal of a running database comes and goes; a socket is no file.
    if (!(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENXIO')))
      throw error
  }
  return found
}

async function checkCommandLines(needles: readonly Needle[]): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const violations: string[] = []
  for (const pid of pids) {
    const line = await readFile(`/proc/${pid}/cmdline`).catch(() => Buffer.alloc(0))
    const [program = ''] = line.toString('utf8').split('\0')
    for (const label of needlesIn(needles, line)) {
      violations.push(`secret: ${label} is on the command line of process ${pid} (${program})`)
    }
  }
  return violations
}
