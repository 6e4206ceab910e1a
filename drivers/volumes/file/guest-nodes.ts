/** Which layers of a volume a guest has open. */
import { dirname } from 'node:path'
import { z } from 'zod'
import type { QmpClient } from '../../../block-io/qmp/client.ts'
import { type GuestNode, guestNodes } from '../guest.ts'

const OWN_FILE = z.object({ file: z.object({ filename: z.string() }) })

/** The guest's nodes of the layers in a volume's directory, by the layers' paths: also of layers that are no longer there. */
export async function nodesOf(monitor: QmpClient, directory: string): Promise<Map<string, GuestNode>> {
  const found = new Map<string, GuestNode>()
  for (const node of await guestNodes(monitor)) {
    const path = fileOf(node.file) ?? ''
    // Not the nodes of the files themselves, which have the same name.
    if (dirname(path) === directory && path.endsWith(`.${node.driver}`)) found.set(path, node)
  }
  return found
}

/** qemu names a node by its file, or, where that does not say all, by its options. */
function fileOf(name: string): string | undefined {
  if (!name.startsWith('json:')) return name
  try {
    return OWN_FILE.safeParse(JSON.parse(name.slice('json:'.length))).data?.file.filename
  } catch {
    return undefined
  }
}
