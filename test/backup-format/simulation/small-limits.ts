import { LIMITS as REAL } from '../../../domain/limits.ts'

/** So small that what belongs together rarely fits into one of them; and no course of events depends on how fast this machine is. */
export const LIMITS = {
  ...REAL,
  targetRequests: 2,
  journalIntervalMs: Infinity,
  condemnedListItems: 2,
  condemnedObjectsMax: 8,
  collectShareMax: 1,
  markRecentItems: 16,
  deletionBatch: 3,
}
