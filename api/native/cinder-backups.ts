/** What only backups in Cinder's format, or copies of them, can do. */
import { z } from 'zod'
import { exportRecord, requestScan } from '../../database/requests/cinder-backups.ts'
import { LIMITS } from '../../domain/limits.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept } from './answers.ts'
import { ERRORS, ID_PARAMS, PLACE } from './fields.ts'
import { ACCEPTED } from './schemas.ts'

const RECORD = z
  .strictObject({
    backupService: z.string().min(1).max(LIMITS.nameLengthMax).describe("Cinder's class of driver"),
    backupUrl: z.string().min(1).max(LIMITS.cinderRecordMaxLength).describe('Base64 of JSON'),
  })
  .meta({ id: 'ExportRecord' })
const SCAN = z
  .strictObject({ record: RECORD.exactOptional().describe('Of `cinder backup-export`: only that backup') })
  .meta({ id: 'ScanTarget' })
export function cinderBackupRoutes(app: App, context: ApiContext): void {
  scanRoute(app, context)
  backupRoutes(app, context)
}

function scanRoute(app: App, context: ApiContext): void {
  app.post(
    '/targets/:name/scan',
    {
      config: { rule: 'admin' },
      schema: {
        tags: ['targets'],
        summary: 'Find the backups that Cinder keeps in a target',
        params: z.strictObject({ name: PLACE }),
        body: SCAN,
        response: { 202: ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const scan = { target: request.params.name, ...request.body }
      const accepted = await requestScan(context.database, actor, context.places, scan)
      return reply.code(202).send({ operation: await accept(context, actor, accepted) })
    },
  )
}

function backupRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.get(
    '/backups/:id/export-record',
    {
      schema: {
        tags: ['backups'],
        summary: "What Cinder's backup import takes",
        params: ID_PARAMS,
        response: { 200: RECORD, ...ERRORS },
      },
    },
    (request) => {
      const { projectId } = actorOf(request)
      return exportRecord(database, places, { id: request.params.id, projectId })
    },
  )
}
