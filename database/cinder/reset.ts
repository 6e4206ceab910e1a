/** What an administrator says about a resource, whatever it was: Cinder's way to free what is stuck. */
import { RequestError } from '../../domain/errors.ts'
import { isClaim } from '../../domain/volume-claims.ts'
import { attachmentOf } from '../attachments.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import { setColumns } from './volumes.ts'

interface VolumeReset {
  readonly status?: string | undefined
  readonly attachStatus?: string | undefined
  /** `none` clears it. */
  readonly migrationStatus?: string | undefined
}

/** Throws RequestError 400 for `in-use` of a volume that nobody has. */
export async function resetVolume(database: Database, id: string, reset: VolumeReset): Promise<void> {
  await database.transaction().execute(async (tx) => {
    if (reset.attachStatus === 'detached') await detach(tx, id)
    const isAttached = (await attachmentOf(tx, id)) !== undefined
    if (reset.status === 'in-use' && !isAttached)
      throw new RequestError(
        400,
        'notAttached',
        'Cannot reset-state to in-use because volume does not have any attachments.',
      )
    await setColumns(tx, 'volume', id, {
      ...(reset.status === undefined ? {} : statusColumns(reset.status, isAttached)),
      ...(reset.migrationStatus === undefined
        ? {}
        : { migrationStatus: reset.migrationStatus === 'none' ? null : reset.migrationStatus }),
    })
  })
}

async function detach(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('attachments').where('volumeId', '=', id).execute()
  await tx.deleteFrom('volumeConnections').where('volumeId', '=', id).execute()
  const { status } = await tx
    .selectFrom('volumes')
    .select('status')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  if (status === 'in-use') await setColumns(tx, 'volume', id, { status: 'available', claim: null })
}

function statusColumns(status: string, isAttached: boolean) {
  if (isClaim(status)) return { status: isAttached ? 'in-use' : 'available', claim: status }
  return { status, claim: null }
}
