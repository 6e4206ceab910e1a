import { createHash } from 'node:crypto'
import type { TargetPlace } from '../installation.ts'
import { openObjects } from './objects.ts'
import { openReader, readKeyFile } from './reader.ts'

export interface BackupToRestore {
  readonly target: TargetPlace
  readonly backupKeyFile: string
  /** Project of the backup. */
  readonly domain: string
  readonly backupId: string
}

/** SHA-256 (hex) of the volume in a committed backup, put together by the checker's own reader. Throws where it cannot be. */
export async function restoreSha256(backup: BackupToRestore): Promise<string> {
  const objects = openObjects(backup.target)
  try {
    const reader = await openReader(objects, await readKeyFile(backup.backupKeyFile))
    const record = await reader.record(backup.domain, backup.backupId)
    if (record.state !== 'committed') throw new Error(`backup ${backup.backupId} is ${record.state}`)
    const hash = createHash('sha256')
    const zeroes = Buffer.alloc(record.chunkBytes)
    for await (const { key, lengthBytes } of reader.chunks(record)) {
      const bytes = key === null ? zeroes.subarray(0, lengthBytes) : await reader.content(key)
      if (bytes.length !== lengthBytes)
        throw new Error(`${key} has ${bytes.length} bytes, ${lengthBytes} are due`)
      hash.update(bytes)
    }
    return hash.digest('hex')
  } finally {
    objects.close()
  }
}
