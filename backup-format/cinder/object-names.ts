import { metadataKey, sha256Key } from '../../domain/cinder-names.ts'
import type { CinderBackup } from './backup.ts'
import type { CinderStore } from './store.ts'

export interface ObjectNames {
  /** Keys that metadata of the chain name and the store does not have. */
  readonly missing: ReadonlySet<string>
  /** Keys below a prefix that its metadata do not name. */
  readonly unknown: readonly string[]
}

/** Are the objects of these backups there, and none besides? */
export async function readObjectNames(
  store: CinderStore,
  backups: readonly CinderBackup[],
): Promise<ObjectNames> {
  const missing = new Set<string>()
  const unknown: string[] = []
  for (const { location, metadata } of backups) {
    const { folder, prefix } = location
    const named = new Set(metadata.objects.map(({ name }) => `${folder}${name}`))
    named.forEach((key) => missing.add(key))
    for await (const { key } of store.list(`${folder}${prefix}`)) {
      if (!missing.delete(key) && key !== metadataKey(location) && key !== sha256Key(location))
        unknown.push(key)
    }
  }
  return { missing, unknown }
}
