import type { BackupTarget, TargetSpec } from '../../backup-format/target.ts'
import { openDirectoryTarget } from './directory/target.ts'
import { lazyTarget } from './lazy-target.ts'

/** Connects to nothing yet; the first call does. Worker threads import this module by its URL. */
export function openTarget(spec: TargetSpec): BackupTarget {
  switch (spec.driver) {
    case 'directory':
      return openDirectoryTarget(spec.path)
    case 's3':
      return lazyTarget('s3', async () => (await import('./s3/target.ts')).openS3Target(spec))
  }
}

/** Makes the place that holds a target's objects, where that is a step of its own. Whatever is there stays as it is. */
export async function prepareTarget(spec: TargetSpec): Promise<void> {
  if (spec.driver === 's3') await (await import('./s3/bucket.ts')).makeBucket(spec)
}

/** For `ThreadTarget`: where worker threads find `openTarget`. */
export const targetFactoryUrl = import.meta.url
