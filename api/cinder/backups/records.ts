import { z } from 'zod'
import { exportRecord, requestScan } from '../../../database/requests/cinder-backups.ts'
import { requestImport } from '../../../database/requests/import-target.ts'
import { decodeOwnRecord, encodeOwnRecord, OWN_SERVICE } from '../../../domain/backup-record.ts'
import { locationInRecord } from '../../../domain/cinder-record.ts'
import { RequestError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { actorOf } from '../../actor.ts'
import type { ApiContext, App } from '../../context.ts'
import { ended } from '../ended.ts'
import { Fault } from '../fault.ts'
import { ID_PARAMS } from '../fields.ts'
import { linksFor } from '../links.ts'
import { owned } from '../owned.ts'
import { start } from '../start.ts'
import { backupSummary } from './view.ts'

const IMPORT = z.strictObject({
  'backup-record': z.looseObject({
    backup_service: z.string().min(1).max(LIMITS.nameLengthMax),
    backup_url: z.string().min(1).max(LIMITS.cinderRecordMaxLength),
  }),
})

const ADMIN = { rule: 'admin' } as const

/** What another installation has to know of a backup, to find it in the target that both have. */
export function backupRecordRoutes(app: App, context: ApiContext): void {
  const tags = ['backups']
  app.get(
    '/backups/:id/export_record',
    { config: ADMIN, schema: { tags, summary: 'Export the record of a backup', params: ID_PARAMS } },
    async (request) => {
      const { row } = await owned(context, request, 'backup', request.params.id)
      if (row.status !== 'available')
        throw new Fault(400, `Invalid backup: Backup status must be available and not ${row.status}.`)
      if (row.format === 'rbd')
        throw new Fault(
          400,
          'Invalid backup: it is a snapshot in a pool, which no other installation can import.',
        )
      const { backupService, backupUrl } =
        row.format === 'cinder'
          ? await exportRecord(context.database, context.places, row)
          : encodeOwnRecord(row)
      return { 'backup-record': { backup_service: backupService, backup_url: backupUrl } }
    },
  )
  // openstacksdk sends what it imports to the second path.
  for (const path of ['/backups/import_record', '/backups/export_record']) {
    app.post(
      path,
      { config: ADMIN, schema: { tags, summary: 'Import a backup by its record', body: IMPORT } },
      async (request, reply) => {
        const record = request.body['backup-record']
        const actor = actorOf(request)
        const { backupId, accepted } = await requestRecord(context, actor, {
          backupService: record.backup_service,
          backupUrl: record.backup_url,
        })
        start(context, reply, accepted)
        const { operationId } = accepted
        if (operationId !== null) await ended(context, { operationId, projectId: actor.projectId })
        const { row } = await owned(context, request, 'backup', backupId).catch((error: unknown) => {
          if (!(error instanceof RequestError)) throw error
          throw new Fault(400, `Invalid backup: backup ${backupId} was not found in its target.`)
        })
        return reply.code(201).send({ backup: backupSummary(row, linksFor(context, request)) })
      },
    )
  }
}

type ExportedRecord = Parameters<typeof requestRecord>[2]

async function requestRecord(
  context: ApiContext,
  actor: ReturnType<typeof actorOf>,
  record: { readonly backupService: string; readonly backupUrl: string },
) {
  const { database, places } = context
  if (record.backupService === OWN_SERVICE) {
    const own = decodeOwnRecord(record.backupUrl)
    if (own === undefined)
      throw new Fault(400, 'Invalid input received: expected the URL of an export, got another.')
    return { backupId: own.id, accepted: await requestImport(database, actor, places, own.target) }
  }
  const { target, backupId } = cinderTargetOf(context, record)
  return { backupId, accepted: await requestScan(database, actor, places, { target, record }) }
}

/** The target in Cinder's format that can hold it. */
function cinderTargetOf({ places }: ApiContext, { backupUrl }: ExportedRecord) {
  for (const [target, { driver, container }] of Object.entries(places.cinderTargets)) {
    const found = locationInRecord(driver, backupUrl)
    if (found !== undefined && (driver === 'directory' || (found.container ?? container) === container))
      return { target, backupId: found.location.backupId }
  }
  throw new Fault(400, 'Invalid input received: no configured target holds the backup of this record.')
}
