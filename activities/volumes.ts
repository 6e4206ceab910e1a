import { DriverError } from '../domain/errors.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { ImageStore } from '../drivers/images/driver.ts'
import type { VolumeDriver } from '../drivers/volumes/driver.ts'
import { attempted } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'
import { isPooled } from './pooled-backups.ts'

/** `snapshot`: a clone of the snapshot from which the backup was made. */
export type ContentPath = 'clone' | 'blank' | 'snapshot'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }
type FromImage = Input<'create-volume-from-image'> & { mayDerive?: boolean }

interface BlankVolume {
  readonly operationId: string
  readonly backend: string
  readonly volumeId: string
  readonly sizeBytes: number
  readonly target?: string
}

export function createVolumeActivities(deps: ActivityDependencies) {
  const backend = (name: string) => place(deps.backends, 'backend', name)
  return {
    /** A volume of zeroes. For the bytes of a pooled backup, `target`, there is none yet: what brings them makes it. */
    makeVolume: ({ target, ...input }: BlankVolume): Promise<void> =>
      attempted(deps.database, input.operationId, async () => {
        if (target === undefined || !isPooled(deps, { target }))
          await backend(input.backend).createVolume(input)
      }),

    /**
     * The cheapest way to the snapshot's bytes: a clone where the driver has one and it may depend on its snapshot, or is
     * independent at once; else `copy`, and the volume is there, all zeroes, to be copied into.
     */
    makeVolumeFromSnapshot: (input: Input<'create-volume-from-snapshot'>): Promise<{ path: string }> =>
      attempted(deps.database, input.operationId, async () => {
        const driver = backend(input.backend)
        const { clone, reflink } = driver.capabilities
        const cloned =
          clone && (reflink || !input.flatten) ? await cloneUnlessTooDeep(driver, input) : undefined
        if (cloned !== undefined) return cloned
        await driver.createVolume(input)
        return { path: 'copy' }
      }),

    /**
     * A clone where the image is beside the backend's volumes. Where it would be one if what is cloned were made first, and the caller
     * knows how: `derive`, and nothing is there yet. Else `copy`, and the volume is there, all zeroes, to be copied into.
     */
    makeVolumeFromImage: (input: FromImage): Promise<{ path: string }> =>
      attempted(deps.database, input.operationId, () =>
        makeVolumeFromImage(backend(input.backend), place(deps.stores, 'store', input.store), input),
      ),

    /**
     * What a volume's new content is written to, beside the old: a clone, of which only the differences are written, or, where
     * there can be none, zeroes.
     */
    makeContent: (input: Input<'restore-backup-into-volume'>): Promise<{ path: ContentPath }> =>
      attempted(deps.database, input.operationId, () =>
        isPooled(deps, input)
          ? makePooledContent(backend(input.backend), input)
          : makeContent(backend(input.backend), input),
      ),

    /** The new content takes the place of the old. */
    replaceVolume: (input: {
      operationId: string
      backend: string
      volumeId: string
      contentId: string
    }): Promise<void> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).replaceVolume(input)),

    removeVolume: (input: Input<'delete-volume'>): Promise<void> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).deleteVolume(input)),

    extendVolume: (input: Input<'extend-volume'>): Promise<void> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).extendVolume(input)),

    revertVolume: (input: Input<'revert-to-snapshot'>): Promise<{ path: string }> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).revertVolume(input)),

    removeSnapshot: (input: Input<'delete-snapshot'>): Promise<void> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).deleteSnapshot(input)),
  }
}

/** Undefined: its bytes are in another format, or elsewhere. */
async function makeVolumeFromImage(
  driver: VolumeDriver,
  store: ImageStore,
  input: FromImage,
): Promise<{ path: string }> {
  const cloned = await cloneImage(driver, store, input)
  if (cloned !== undefined) return cloned
  if (input.mayDerive === true && (await canDerive(driver, store, input))) return { path: 'derive' }
  await driver.createVolume(input)
  return { path: 'copy' }
}

async function cloneImage(
  driver: VolumeDriver,
  store: ImageStore,
  { imageId, diskFormat, volumeId: newVolumeId, sizeBytes }: FromImage,
): Promise<{ path: string } | undefined> {
  if (driver.cloneImage === undefined) return undefined
  const source = await (diskFormat === 'raw'
    ? store.cloneSource?.(imageId)
    : store.derived?.cloneSource(imageId))
  return source && driver.cloneImage({ source, newVolumeId, sizeBytes })
}

async function canDerive(
  driver: VolumeDriver,
  store: ImageStore,
  { imageId, diskFormat }: FromImage,
): Promise<boolean> {
  if (diskFormat === 'raw' || store.derived === undefined || driver.reachesImage === undefined) return false
  const source = await store.cloneSource?.(imageId)
  return source !== undefined && driver.reachesImage(source)
}

/** Undefined: it is a clone of clones already, and one more would be too many. */
async function cloneUnlessTooDeep(
  driver: VolumeDriver,
  {
    sourceVolumeId: volumeId,
    snapshotId,
    volumeId: newVolumeId,
    sizeBytes,
  }: Input<'create-volume-from-snapshot'>,
): Promise<{ path: string } | undefined> {
  try {
    return await driver.cloneSnapshot({ volumeId, snapshotId, newVolumeId, sizeBytes })
  } catch (error) {
    if (error instanceof DriverError && error.kind === 'unsupported') return undefined
    throw error
  }
}

async function makeContent(
  driver: VolumeDriver,
  input: Input<'restore-backup-into-volume'>,
): Promise<{ path: 'clone' | 'blank' }> {
  const { volumeId, snapshotId, contentId, sizeBytes } = input
  try {
    if (driver.capabilities.clone) {
      await driver.createSnapshot({ volumeId, snapshotId })
      await driver.cloneSnapshot({ volumeId, snapshotId, newVolumeId: contentId, sizeBytes })
      await driver.deleteSnapshot({ volumeId, snapshotId })
      return { path: 'clone' }
    }
  } catch (error) {
    // The volume has as many layers as it can have: its new content has but one.
    if (!(error instanceof DriverError && error.kind === 'unsupported')) throw error
  }
  await driver.createVolume({ volumeId: contentId, sizeBytes })
  return { path: 'blank' }
}

/** What the volume has otherwise is not compared: all that a snapshot in a pool can tell is its difference from another snapshot. */
async function makePooledContent(
  driver: VolumeDriver,
  { volumeId, backupSnapshotId, contentId, sizeBytes }: Input<'restore-backup-into-volume'>,
): Promise<{ path: ContentPath }> {
  try {
    if (driver.capabilities.clone && backupSnapshotId !== undefined) {
      const snapshot = { volumeId, snapshotId: backupSnapshotId }
      await driver.cloneSnapshot({ ...snapshot, newVolumeId: contentId, sizeBytes })
      return { path: 'snapshot' }
    }
  } catch (error) {
    if (!(error instanceof DriverError && ['unsupported', 'notFound'].includes(error.kind))) throw error
  }
  // What brings the bytes makes it.
  return { path: 'blank' }
}
