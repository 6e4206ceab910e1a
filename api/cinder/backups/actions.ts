import { z } from 'zod'
import { setColumns } from '../../../database/cinder/volumes.ts'
import { requestBackupDeletion } from '../../../database/requests/backups.ts'
import type { ApiContext, App } from '../../context.ts'
import { type Action, action, actionRoute } from '../actions.ts'
import { forceDelete } from '../force-delete.ts'
import { owned } from '../owned.ts'
import { abandonHolders } from '../release-holders.ts'

const ADMIN = { rule: 'admin' } as const

const ACTIONS: Readonly<Record<string, Action>> = {
  'os-reset_status': action(
    z.strictObject({ status: z.enum(['available', 'error']) }),
    async ({ context, request, reply, id }, { status }) => {
      const { row } = await owned(context, request, 'backup', id)
      await abandonHolders(context, row.id)
      await setColumns(context.database, 'backup', row.id, { status })
      return reply.code(202).send()
    },
    ADMIN,
  ),
  'os-force_delete': forceDelete('backup', requestBackupDeletion),
}

export function backupActionRoute(app: App, context: ApiContext): void {
  actionRoute(app, context, 'backups', ACTIONS)
}
