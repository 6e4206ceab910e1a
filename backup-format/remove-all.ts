import pMap from 'p-map'
import { LIMITS } from '../domain/limits.ts'
import { keepFailing } from './keep-failing.ts'
import type { BackupTarget } from './target.ts'

/** Deletes everything under a prefix. */
export async function removeAll(target: BackupTarget, prefix: string): Promise<void> {
  await pMap(keepFailing(target.list(prefix)), ({ key }) => target.delete(key), {
    concurrency: LIMITS.targetRequests,
  })
}
