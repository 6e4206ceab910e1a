import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../../../block-io/file-errors.ts'
import { isMissing } from './folders.ts'
import { requireFolder } from './folders.ts'

/** Every object whose key begins with `prefix`. What is deleted meanwhile may or may not be among them. */
export async function* walk(
  root: string,
  prefix: string,
): AsyncGenerator<{ key: string; sizeBytes: number }> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  yield* walkFolder(root, folder, prefix)
}

async function* walkFolder(
  root: string,
  folder: string,
  prefix: string,
): AsyncGenerator<{ key: string; sizeBytes: number }> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    if (!isMissing(error)) return fileError(error)
    return requireFolder(root).then(() => [])
  })
  for (const entry of entries) {
    const key = `${folder}${entry.name}`
    // The target's own folders begin with a dot.
    if (entry.name.startsWith('.')) continue
    if (entry.isDirectory()) {
      if (key.startsWith(prefix) || prefix.startsWith(`${key}/`)) yield* walkFolder(root, `${key}/`, prefix)
    } else if (key.startsWith(prefix)) {
      const found = await stat(join(root, key)).catch((error: unknown) =>
        isMissing(error) ? undefined : fileError(error),
      )
      if (found !== undefined) yield { key, sizeBytes: found.size }
    }
  }
}
