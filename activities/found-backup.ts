import { z } from 'zod'
import type { BackupRecord } from '../backup-format/record.ts'
import type { FoundBackup } from '../database/operations/enter-backup.ts'
import { projectOfDomain } from '../domain/backup-domain.ts'

const text = z.string().nullable().catch(null)

/** As described-volume.ts writes it; older and other writers may say less. */
const VOLUME = z.object({
  id: z.string(),
  backup: z
    .object({
      name: text,
      description: text,
      metadata: z
        .string()
        .transform((json): unknown => JSON.parse(json))
        .pipe(z.record(z.string(), z.string()))
        .catch({}),
      userId: z.string().catch('unknown'),
      snapshotId: text,
      dataTimestamp: z.iso.datetime().nullable().catch(null),
    })
    .prefault({
      name: null,
      description: null,
      metadata: '{}',
      userId: 'unknown',
      snapshotId: null,
      dataTimestamp: null,
    }),
})

/** The row that a record stands for. Undefined: it says of no volume. */
export function foundBackup(record: BackupRecord, target: string): FoundBackup | undefined {
  const { data } = VOLUME.safeParse(record.volume)
  if (data === undefined) return undefined
  const { id: volumeId, backup } = data
  const { dataTimestamp, ...described } = backup
  return {
    ...described,
    id: record.backupId,
    projectId: projectOfDomain(record.domain),
    target,
    volumeId,
    parentId: record.parentBackupId,
    sizeBytes: record.sizeBytes,
    objectCount: record.totals.newChunks,
    storedBytes: record.totals.newObjectBytes,
    createdAt: record.createdAt,
    dataTimestamp: dataTimestamp ?? record.createdAt,
  }
}
