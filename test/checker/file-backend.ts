/** Compares a file backend's directory with the database. The layout is the one of docs/file-backend.md. */
import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Row } from './database.ts'
import { alone, chainIn } from './layers.ts'

const execute = promisify(execFile)

export interface BackendToCheck {
  readonly name: string
  readonly path: string
  readonly volumes: readonly Row[]
  readonly snapshots: readonly Row[]
}

interface Expected {
  readonly label: string
  readonly sizeBytes: number
  /** A failed deletion may have removed it or not. */
  readonly optional: boolean
  /** A failed extension may have made it larger or not. */
  readonly mayBeLarger: boolean
}

export async function checkFileBackend(backend: BackendToCheck): Promise<string[]> {
  const volumes = backend.volumes.map((row) => [String(row.id), expected('volume', row)] as const)
  const snapshots = backend.snapshots.map(
    (row) => [`${row.volume_id}.${row.id}`, expected('snapshot', row)] as const,
  )
  const links = new Map<string, { readonly nlink: number; names: number; path: string }>()
  const violations = [
    ...(await checkNames(backend.path, ['merged', 'scratch', 'snapshots', 'unmanaged', 'volumes'])),
    ...(await checkNames(join(backend.path, 'scratch'), [])),
    ...(await checkNames(join(backend.path, 'merged'), [])),
    ...(await checkDirectories(join(backend.path, 'volumes'), new Map(volumes), links)),
    ...(await checkDirectories(join(backend.path, 'snapshots'), new Map(snapshots), links)),
  ]
  for (const { nlink, names, path } of links.values()) {
    if (nlink !== names) violations.push(`${path} has ${nlink} names, ${names} of them known`)
  }
  return violations.map((violation) => `backend ${backend.name}: ${violation}`)
}

/** A resource in error has lost its bytes: its creation was undone. One that is managed, or was, has them or has not: they are somebody else's. */
function expected(what: string, row: Row): Expected | undefined {
  if (row.status === 'error') return undefined
  return {
    label: `${what} ${row.id}`,
    sizeBytes: Number(row.size_bytes),
    optional: ['error_deleting', 'error_managing', 'error_unmanaging'].includes(String(row.status)),
    mayBeLarger: ['error_extending', 'error_managing'].includes(String(row.status)),
  }
}

async function checkNames(directory: string, allowed: readonly string[]): Promise<string[]> {
  const names = await namesIn(directory)
  return names.filter((name) => !allowed.includes(name)).map((name) => `leftover: ${join(directory, name)}`)
}

async function checkDirectories(
  parent: string,
  expected: ReadonlyMap<string, Expected | undefined>,
  links: Map<string, { readonly nlink: number; names: number; path: string }>,
): Promise<string[]> {
  const violations: string[] = []
  const found = await namesIn(parent)
  for (const [name, resource] of expected) {
    if (resource !== undefined && !resource.optional && !found.includes(name)) {
      violations.push(`${resource.label} has no directory ${join(parent, name)}`)
    }
  }
  for (const name of found) {
    const resource = expected.get(name)
    const directory = join(parent, name)
    if (resource === undefined) violations.push(`leftover: ${directory}`)
    else violations.push(...(await checkLayers(directory, resource, links)))
  }
  return violations
}

async function checkLayers(
  directory: string,
  resource: Expected,
  links: Map<string, { readonly nlink: number; names: number; path: string }>,
): Promise<string[]> {
  let chain
  try {
    chain = await chainIn(directory)
  } catch (error) {
    return [`${resource.label}: ${error instanceof Error ? error.message : String(error)}`]
  }
  const violations: string[] = []
  for (const path of chain.layers) {
    const { ino, dev, nlink } = await stat(path)
    const seen = links.get(`${dev}:${ino}`)
    if (seen !== undefined) seen.names += 1
    else links.set(`${dev}:${ino}`, { nlink, names: 1, path })
    if (seen === undefined && path.endsWith('.qcow2')) violations.push(...(await checkQcow2(path)))
  }
  const sizeBytes = await sizeOf(chain.layers.at(-1) ?? '')
  const isWrong = resource.mayBeLarger ? sizeBytes < resource.sizeBytes : sizeBytes !== resource.sizeBytes
  if (isWrong) {
    violations.push(`${resource.label} has ${sizeBytes} bytes, the database says ${resource.sizeBytes}`)
  }
  return violations
}

async function checkQcow2(path: string): Promise<string[]> {
  const checked = await execute('qemu-img', ['check', '-U', '-q', alone(path)]).catch((error: Error) => error)
  return checked instanceof Error ? [`qemu-img check of ${path}: ${checked.message.trim()}`] : []
}

async function sizeOf(layer: string): Promise<number> {
  if (layer.endsWith('.raw')) return (await stat(layer)).size
  const { stdout } = await execute('qemu-img', ['info', '-U', '--output=json', alone(layer)])
  return (JSON.parse(stdout) as { 'virtual-size': number })['virtual-size']
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  })
}
