/** Compares a file store's directory with the database: the bytes of every active image, and nothing else. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Row } from './database.ts'

export interface StoreToCheck {
  readonly name: string
  readonly path: string
  readonly images: readonly Row[]
}

export async function checkImageStore(store: StoreToCheck): Promise<string[]> {
  const active = new Map(
    store.images.filter((row) => row.status !== 'queued').map((row) => [String(row.id), row] as const),
  )
  const present = await namesIn(join(store.path, 'images'))
  const violations = [
    ...(await namesIn(store.path))
      .filter((name) => name !== 'images' && name !== 'stages')
      .map((name) => `leftover: ${join(store.path, name)}`),
    ...(await namesIn(join(store.path, 'stages'))).map(
      (name) => `leftover: ${join(store.path, 'stages', name)}`,
    ),
    ...present
      .filter((name) => !active.has(name))
      .map((name) => `leftover: ${join(store.path, 'images', name)}`),
  ]
  for (const [id, row] of active) {
    // A failed deletion may have removed it or not.
    if (row.status === 'pending_delete') continue
    const bytes = () => createReadStream(join(store.path, 'images', id), { highWaterMark: 1024 * 1024 })
    if (present.includes(id)) violations.push(...(await checkImageBytes(bytes(), row)))
    else violations.push(`image ${id} has no file`)
  }
  return violations.map((violation) => `store ${store.name}: ${violation}`)
}

export async function checkImageBytes(content: AsyncIterable<Buffer>, row: Row): Promise<string[]> {
  const md5 = createHash('md5')
  const sha512 = createHash('sha512')
  let sizeBytes = 0
  for await (const bytes of content) {
    md5.update(bytes)
    sha512.update(bytes)
    sizeBytes += bytes.length
  }
  const pairs = [
    ['size', row.size_bytes, sizeBytes],
    ['md5', row.checksum, md5.digest('hex')],
    ['hash algorithm', row.os_hash_algo, 'sha512'],
    ['sha512', row.os_hash_value, sha512.digest('hex')],
  ] as const
  return pairs.flatMap(([what, inRow, inFile]) =>
    inRow === inFile
      ? []
      : [`image ${row.id}: its ${what} is ${inRow} in the database, ${inFile} in its file`],
  )
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  })
}
