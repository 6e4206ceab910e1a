/** Names in a pool of backups: of each volume one image, with a snapshot for each backup. None of them is one of Cinder's. */
import { checkedId, isId } from '../../volumes/file/ids.ts'

const IMAGE = 'backups-'
const SNAPSHOT = 'backup-'

export function backupImage(volumeId: string): string {
  return `${IMAGE}${checkedId('volume', volumeId)}`
}

export function backupSnapshot(backupId: string): string {
  return `${SNAPSHOT}${checkedId('backup', backupId)}`
}

export function volumeIdOf(image: string): string | undefined {
  return idBehind(IMAGE, image)
}

export function backupIdOf(snapshot: string): string | undefined {
  return idBehind(SNAPSHOT, snapshot)
}

function idBehind(prefix: string, name: string): string | undefined {
  const id = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return isId(id) ? id : undefined
}
