import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CinderStore } from '../../../backup-format/cinder/store.ts'
import { encodeRecord } from '../../../domain/cinder-record.ts'
import { MiB } from '../../../domain/sizes.ts'
import type { CinderService } from '../../support/cinder/cinder-service.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { read } from './fixtures.ts'

const SIZE = 5 * MiB

/** Of a backup in a folder, for Cinder's POSIX driver. */
export async function recordOf(store: CinderStore, backupId: string) {
  const { location, metadata } = await read(store, backupId)
  const { backupService, backupUrl } = encodeRecord(
    store.kind,
    {
      ...{ location, bucket: 'volumebackups', sizeBytes: SIZE, objectCount: metadata.objects.length },
      ...{ name: metadata.name, description: metadata.description, parentId: metadata.parentId },
      ...{ dataTimestamp: metadata.createdAt, createdAt: metadata.createdAt },
    },
    'cinder.backup.drivers.posix.PosixBackupDriver',
  )
  return { backup_service: backupService, backup_url: backupUrl }
}

export async function restoredByCinder(cinder: CinderService, backupId: string): Promise<Buffer> {
  const path = join(await tempDir(), 'restored')
  await writeFile(path, '')
  await truncate(path, SIZE)
  await cinder.restore(backupId, path)
  return readFile(path)
}
