import { z } from 'zod'
import { setColumns } from '../../../database/cinder/volumes.ts'
import { requestSnapshotDeletion } from '../../../database/requests/snapshots.ts'
import { resettable } from '../../../domain/cinder-status.ts'
import type { ApiContext, App } from '../../context.ts'
import { quoted } from '../../validation-message.ts'
import { type Action, action, actionRoute, NOTHING } from '../actions.ts'
import { Fault } from '../fault.ts'
import { forceDelete } from '../force-delete.ts'
import { owned } from '../owned.ts'
import { abandonHolders } from '../release-holders.ts'

const ADMIN = { rule: 'admin' } as const

/** What somebody who takes a snapshot in a guest may say of it. */
const UPDATES: Readonly<Record<string, readonly string[]>> = {
  creating: ['creating', 'available', 'error'],
  deleting: ['deleting', 'error_deleting'],
}

const ACTIONS: Readonly<Record<string, Action>> = {
  'os-reset_status': action(
    z.strictObject({ status: z.string().max(255) }),
    async ({ context, request, reply, id }, { status }) => {
      const word = status.toLowerCase()
      if (!resettable('snapshot').includes(word))
        throw new Fault(400, `Expected one of ${resettable('snapshot').join(', ')}, got ${quoted(status)}.`)
      const { row } = await owned(context, request, 'snapshot', id)
      await abandonHolders(context, row.id)
      await setColumns(context.database, 'snapshot', row.id, { status: word })
      return reply.code(202).send()
    },
    ADMIN,
  ),
  'os-update_snapshot_status': action(
    z.strictObject({ status: z.string().max(255), progress: z.string().max(10).nullish() }),
    async ({ context, request, reply, id }, { status, progress }) => {
      if (progress != null && !/^(?:100|\d{1,2})%$/.test(progress))
        throw new Fault(400, `Expected a progress such as 50%, got ${quoted(progress)}.`)
      const { row } = await owned(context, request, 'snapshot', id)
      if (UPDATES[row.status]?.includes(status) !== true)
        throw new Fault(400, `Status ${status} is not valid for a snapshot that is ${row.status}.`)
      await abandonHolders(context, row.id)
      await setColumns(context.database, 'snapshot', row.id, { status })
      return reply.code(202).send()
    },
  ),
  'os-force_delete': forceDelete('snapshot', requestSnapshotDeletion),
  'os-unmanage': action(NOTHING, async ({ context, request, id }) => {
    await owned(context, request, 'snapshot', id)
    throw new Fault(400, 'Snapshots are not unmanaged: delete them, and unmanage their volume.')
  }),
}

export function snapshotActionRoute(app: App, context: ApiContext): void {
  actionRoute(app, context, 'snapshots', ACTIONS)
}
