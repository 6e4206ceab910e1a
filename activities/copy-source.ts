/** A backup that is read, whatever its format: to be copied, or to heal another one. */
import { BackupReader, layoutOf } from '../backup-format/backup-reader.ts'
import { changedChunks } from '../backup-format/changed-chunks.ts'
import { CinderBackupReader, cinderLayoutOf } from '../backup-format/cinder/backup-reader.ts'
import { changedBlocks } from '../backup-format/cinder/changed-blocks.ts'
import type { UploadSource } from '../backup-format/upload-request.ts'
import type { BlockReader, ByteRange } from '../block-io/device.ts'
import { backupDomain } from '../domain/backup-domain.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import { isCinder, requireLocation, withCinderStore } from './cinder-store.ts'
import { type ActivityDependencies, place } from './dependencies.ts'
import { withRepository } from './repository.ts'

export interface CopySource {
  readonly source: UploadSource
  /** What differs from the backup of which the copy's parent is a copy. */
  readonly changedRanges: readonly ByteRange[] | 'unknown'
  readonly threads: number
}

type Input = OperationSpecs['copy-backup']

export function readCopySource(
  deps: ActivityDependencies,
  input: Input,
  signal: AbortSignal,
): Promise<CopySource> {
  return isCinder(deps, { target: input.sourceTarget })
    ? readFromCinder(deps, input, signal)
    : readFromRepository(deps, input)
}

export function withBackupReader<T>(
  deps: ActivityDependencies,
  of: { readonly target: string; readonly backupId: string; readonly projectId: string },
  work: (reader: BlockReader) => Promise<T>,
): Promise<T> {
  const { target, backupId } = of
  if (!isCinder(deps, of))
    return withRepository(deps, target, async (repository) =>
      work(new BackupReader(repository.target, await layoutOf(repository, keyOf(of)))),
    )
  return withCinderStore(deps, target, async (store) => {
    const layout = await cinderLayoutOf(store, await requireLocation(deps, store, backupId))
    const reader = new CinderBackupReader(store, layout, { spoolFolder: deps.runFolder })
    try {
      return await work(reader)
    } finally {
      await reader.close()
    }
  })
}

function readFromRepository(deps: ActivityDependencies, input: Input): Promise<CopySource> {
  const { projectId, sourceTarget, sourceBackupId, parentSourceId } = input
  return withRepository(deps, sourceTarget, async (repository) => {
    const layout = await layoutOf(repository, keyOf({ projectId, backupId: sourceBackupId }))
    const changedRanges = await changedSince(parentSourceId, async (backupId) => {
      const before = await layoutOf(repository, keyOf({ projectId, backupId }))
      return changedChunks(repository.target, before, layout)
    })
    const { targetFactoryUrl } = deps
    const from = { targetFactoryUrl, targetSpec: place(deps.targets, 'target', sourceTarget) }
    return { source: { kind: 'backup', from, layout }, changedRanges, threads: LIMITS.backupThreads }
  })
}

function readFromCinder(
  deps: ActivityDependencies,
  { sourceTarget, sourceBackupId, parentSourceId }: Input,
  signal: AbortSignal,
): Promise<CopySource> {
  return withCinderStore(deps, sourceTarget, async (store, { storeFactoryUrl, storeSpec }) => {
    const layout = await cinderLayoutOf(store, await requireLocation(deps, store, sourceBackupId), signal)
    const changedRanges = await changedSince(parentSourceId, async (backupId) => {
      const before = await cinderLayoutOf(store, await requireLocation(deps, store, backupId), signal)
      return changedBlocks(store, before, layout)
    })
    const from = { storeFactoryUrl, storeSpec }
    const source = { kind: 'cinder-backup', from, layout, spoolFolder: deps.runFolder } as const
    // Each thread would fetch and decompress every object: they are twelve times as large as our chunks, or more.
    return { source, changedRanges, threads: 1 }
  })
}

async function changedSince(
  parentSourceId: string | null,
  compare: (backupId: string) => Promise<readonly ByteRange[] | 'unknown'>,
): Promise<readonly ByteRange[] | 'unknown'> {
  if (parentSourceId === null) return 'unknown'
  try {
    return await compare(parentSourceId)
  } catch (error) {
    // Deleted or damaged meanwhile: everything is read, and what the copy's parent has is not stored again.
    if (error instanceof DriverError && error.kind !== 'transient') return 'unknown'
    throw error
  }
}

function keyOf({ projectId, backupId }: { projectId: string; backupId: string }) {
  return { domain: backupDomain(projectId), backupId }
}
