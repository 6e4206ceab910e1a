import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileError } from '../../../block-io/file-errors.ts'

/** Makes the names in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(fileError)
  try {
    await handle.sync().catch(fileError)
  } finally {
    await handle.close()
  }
}

/** Makes a folder somewhere below `root`, durably. */
export async function makeFolder(root: string, folder: string): Promise<void> {
  const created = await mkdir(folder, { recursive: true }).catch(fileError)
  if (created === undefined) return
  for (let parent = dirname(folder); parent.length >= root.length; parent = dirname(parent))
    await syncFolder(parent)
}
