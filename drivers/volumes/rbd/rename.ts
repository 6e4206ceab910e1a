import { runProcess } from '../../../block-io/process.ts'
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import { hasStatus, ifThere, rbd, STATUS } from './commands.ts'
import { infoOf, listNames } from './images.ts'
import { type RbdPlace, specOf } from './place.ts'

/**
 * Renames an image, also when that was interrupted: for a moment both names lead to it, and the pool's list has one of them. `to` is the
 * name of something else: throws.
 */
export async function renameImage(place: RbdPlace, from: string, to: string): Promise<void> {
  const rename = () => rbd(place, ['rename', specOf(place, from), specOf(place, to)])
  try {
    await rename()
  } catch (error) {
    if (!hasStatus(error, STATUS.exists)) throw error
    const [source, target] = [await infoOf(place, from), await infoOf(place, to)]
    if (source.id !== target.id) throw error
    const listed = new Set(await listNames(place))
    await removeAlias(place, listed.has(to) ? from : to)
    if (!listed.has(to)) await rename()
  }
}

/** The object behind a name; the image itself is named by its id. */
async function removeAlias({ pool, namespace, user, confFile }: RbdPlace, name: string): Promise<void> {
  const where = ['--pool', pool, ...(namespace === undefined ? [] : ['--namespace', namespace])]
  const args = ['--name', `client.${user}`, '--conf', confFile, ...where, 'rm', `rbd_id.${name}`]
  await ifThere(runProcess('rados', args, { timeoutMs: RBD_LIMITS.rbdCallMs }))
}
