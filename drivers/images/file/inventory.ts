import { mkdir, opendir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { asDriverCall, ifPresent, syncPath } from '../../volumes/file/durable.ts'
import { checkedId, checkedName, isId } from '../../volumes/file/ids.ts'
import type { Inventory, StoredKey, StoredThing } from '../../inventory.ts'

interface Layout {
  readonly images: string
  readonly stages: string
}

export function fileImageInventory(layout: Layout): Inventory {
  const aside = join(dirname(layout.images), 'aside')
  return {
    list: () => list(layout),
    find: (key) => asDriverCall(`look at ${key.kind} ${key.id}`, () => find(layout, key)),
    setAside: (key) =>
      asDriverCall(`set ${key.kind} ${key.id} aside`, async () => {
        const path = pathOf(layout, key)
        await mkdir(aside, { recursive: true })
        await ifPresent(rename(path, join(aside, `${key.kind}.${key.id}~${Date.now()}`)))
        for (const changed of [aside, dirname(path)]) await syncPath(changed)
      }),
    removeTemporary: (id) =>
      asDriverCall(`remove ${id}`, () => rm(join(layout.stages, checkedName(id)), { force: true })),
  }
}

async function* list(layout: Layout): AsyncGenerator<StoredThing> {
  for (const [kind, directory] of [
    ['image', layout.images],
    ['stage', layout.stages],
  ] as const) {
    for await (const { name } of await asDriverCall('list the image store', () => opendir(directory))) {
      const key: StoredKey = { kind: isId(name) ? kind : 'temporary', id: name }
      // Foreign files in images/ are nobody's business here.
      if (kind === 'image' && key.kind === 'temporary') continue
      const thing = await asDriverCall(`look at ${key.kind} ${name}`, () => find(layout, key))
      if (thing !== undefined) yield thing
    }
  }
}

async function find(layout: Layout, key: StoredKey): Promise<StoredThing | undefined> {
  const found = await ifPresent(stat(pathOf(layout, key)))
  if (found === undefined) return undefined
  const owners = [key.id.split('~', 1)[0] ?? ''].filter(isId)
  return { ...key, owners, changedAtMs: found.mtimeMs, sizeBytes: found.size }
}

function pathOf(layout: Layout, { kind, id }: StoredKey): string {
  if (kind === 'temporary') return join(layout.stages, checkedName(id))
  return join(kind === 'image' ? layout.images : layout.stages, checkedId('image', id))
}
