/** Backups in Cinder's format, read as Cinder reads them: layer by layer, with what its `_metadata` and `_sha256file` say. */
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { inflateSync, zstdDecompressSync } from 'node:zlib'
import type { Row } from '../database.ts'
import type { TargetPlace } from '../installation.ts'
import { openObjects, type RepositoryObjects } from '../repository/objects.ts'

interface Metadata {
  readonly backup_id: string
  readonly parent_id: string | null
  readonly objects: readonly Record<string, Chunk>[]
}

interface Chunk {
  readonly offset: number
  readonly length: number
  readonly compression: string
  readonly md5: string
}

interface Found {
  /** Before `_metadata`. */
  readonly key: string
  readonly folder: string
  readonly metadata: Metadata
}

const DECOMPRESS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  none: (bytes) => bytes,
  zlib: inflateSync,
  gzip: inflateSync,
  zstd: zstdDecompressSync,
  bz2: bunzip2,
  bzip2: bunzip2,
}

/** What is wrong. Small volumes only: each is put together in memory. */
export async function checkCinderTarget(target: {
  readonly name: string
  readonly place: TargetPlace
  readonly backups: readonly Row[]
}): Promise<string[]> {
  const objects = openObjects(target.place)
  const where = `target ${target.name}`
  try {
    const listed = await objects.list()
    const found = await readAll(objects, [...listed.keys()], target.place.kind)
    const violations: string[] = (await objects.leftovers()).map((what) => `${where}: left over: ${what}`)
    const known = new Set<string>()
    for (const backup of found.values()) {
      const names = backup.metadata.objects.flatMap((entry) => Object.keys(entry))
      const expected = [
        `${backup.key}_metadata`,
        `${backup.key}_sha256file`,
        ...names.map((name) => backup.folder + name),
      ]
      expected.forEach((key) => known.add(key))
      const present = [...listed.keys()].filter((key) => key.startsWith(backup.key))
      if (present.toSorted().join() !== expected.toSorted().join())
        violations.push(`${where}: backup ${backup.metadata.backup_id} has not exactly the objects it names`)
      else violations.push(...(await checkContent(objects, found, backup)).map((what) => `${where}: ${what}`))
    }
    for (const key of listed.keys())
      if (!known.has(key)) violations.push(`${where}: ${key} belongs to no backup`)
    for (const { id, status } of target.backups)
      if (status === 'available' && !found.has(String(id)))
        violations.push(`${where}: backup ${String(id)} is available, and not there`)
    return violations
  } finally {
    objects.close()
  }
}

async function readAll(
  objects: RepositoryObjects,
  keys: readonly string[],
  kind: TargetPlace['kind'],
): Promise<Map<string, Found>> {
  const found = new Map<string, Found>()
  for (const metadataKey of keys.filter((key) => key.endsWith('_metadata'))) {
    const key = metadataKey.slice(0, -'_metadata'.length)
    const folder = kind === 's3' ? '' : key.slice(0, key.lastIndexOf('/') + 1)
    const metadata: Metadata = JSON.parse((await objects.get(metadataKey)).toString())
    found.set(metadata.backup_id, { key, folder, metadata })
  }
  return found
}

async function checkContent(
  objects: RepositoryObjects,
  all: ReadonlyMap<string, Found>,
  backup: Found,
): Promise<string[]> {
  const { backup_id: id } = backup.metadata
  const layers = [backup]
  for (let parent = backup.metadata.parent_id; parent !== null;) {
    const layer = all.get(parent)
    if (layer === undefined) return [`backup ${id} builds on ${parent}, which is not there`]
    layers.unshift(layer)
    parent = layer.metadata.parent_id
  }
  const violations: string[] = []
  let volume = Buffer.alloc(0)
  for (const layer of layers) {
    for (const [name, chunk] of layer.metadata.objects.flatMap((entry) => Object.entries(entry))) {
      const bytes = DECOMPRESS[chunk.compression]?.(await objects.get(layer.folder + name)) ?? Buffer.of()
      if (bytes.length !== chunk.length || hash('md5', bytes) !== chunk.md5)
        violations.push(`object ${name} of backup ${id} has other bytes than its metadata say`)
      const missing = chunk.offset + bytes.length - volume.length
      if (missing > 0) volume = Buffer.concat([volume, Buffer.alloc(missing)])
      bytes.copy(volume, chunk.offset)
    }
  }
  const { chunk_size: blockBytes, sha256s } = JSON.parse(
    (await objects.get(`${backup.key}_sha256file`)).toString(),
  ) as {
    chunk_size: number
    sha256s: string[]
  }
  const blocks = Math.ceil(volume.length / blockBytes)
  const hashes = Array.from({ length: blocks }, (_, block) =>
    hash('sha256', volume.subarray(block * blockBytes, (block + 1) * blockBytes)),
  )
  if (hashes.join() !== sha256s.join()) violations.push(`backup ${id} has other blocks than its hashes say`)
  return violations
}

function bunzip2(bytes: Buffer): Buffer {
  return execFileSync('bzip2', ['-dc'], { input: bytes, maxBuffer: 1 << 30 })
}
