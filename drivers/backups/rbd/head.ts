/**
 * What the image itself has, besides its snapshots: the bytes of the backup that was written last, or of one that was begun. The next
 * incremental one relies on the first.
 */
export const HEAD = 'volflow.head'

export function cleanAt(backupId: string): string {
  return backupId
}

export function writing(backupId: string): string {
  return `writing ${backupId}`
}
