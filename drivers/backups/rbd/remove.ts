import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import { ifThere, rbd } from '../../volumes/rbd/commands.ts'
import { infoOf, markOf, removeMark, snapshotsOf } from '../../volumes/rbd/images.ts'
import { type RbdPlace, specOf } from '../../volumes/rbd/place.ts'
import { claimAlone, claimImage, recordedWhile } from '../../volumes/rbd/writers.ts'
import { cleanAt, HEAD, writing } from './head.ts'
import { backupSnapshot } from './names.ts'

/** The snapshot, what the image itself has of it, and with the last one the image. */
export async function removeBackup(place: RbdPlace, image: string, backupId: string): Promise<void> {
  const snapshot = backupSnapshot(backupId)
  // Without one, it was begun: a name, and nothing behind it.
  if ((await ifThere(infoOf(place, image))) === undefined)
    return void (await ifThere(rbd(place, ['rm', '--no-progress', specOf(place, image)])))
  const head = await markOf(place, image, HEAD)
  const isInHead = head === cleanAt(backupId) || head === writing(backupId)
  if (isInHead) await claimImage(place, image)
  await ifThere(rbd(place, ['snap', 'rm', '--no-progress', specOf(place, image, snapshot)]))
  const others = await ifThere(snapshotsOf(place, image))
  if (others === undefined) return
  if (others.length === 0 && (isInHead || head === undefined)) return removeImage(place, image)
  if (isInHead) await emptyHead(place, image)
}

/** Else its bytes would stay until the next backup. That one begins with a rollback. */
async function emptyHead(place: RbdPlace, image: string): Promise<void> {
  await recordedWhile(place, image, async () => {
    const args = ['resize', '--no-progress', '--size', '0', '--allow-shrink', specOf(place, image)]
    await rbd(place, args, { timeoutMs: RBD_LIMITS.rbdRemoveMs })
    await removeMark(place, image, HEAD)
  })
}

async function removeImage(place: RbdPlace, image: string): Promise<void> {
  await claimAlone(place, image)
  const args = ['rm', '--no-progress', specOf(place, image)]
  await ifThere(rbd(place, args, { timeoutMs: RBD_LIMITS.rbdRemoveMs }))
}
