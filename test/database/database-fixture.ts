import { randomUUID } from 'node:crypto'
import { type Database, type DatabasePlace, openDatabase } from '../../database/open.ts'
import type { Actor } from '../../database/operations/accept.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { endOperation } from '../../database/operations/end.ts'
import type { OperationEnd } from '../../domain/operations.ts'
import { liftQuotas } from '../support/lift-quotas.ts'
import { temporaryDatabasePlace } from '../support/temporary-database.ts'

export const PLACES = { backends: ['files'], stores: ['local'], targets: ['local', 's3'], cinderTargets: {} }

export function actor(projectId = 'p1'): Actor {
  return { projectId, userId: 'u1', requestId: `req-${randomUUID()}` }
}

/** A real database, SQLite or PostgreSQL, as several processes would share it. */
export async function temporaryDatabase(): Promise<{
  database: Database
  place: DatabasePlace
  close: () => Promise<void>
}> {
  const { place, remove } = await temporaryDatabasePlace()
  const database = await openDatabase(place)
  await liftQuotas(database)
  return {
    database,
    place,
    close: async () => {
      await database.destroy()
      await remove()
    },
  }
}

/** Runs an accepted operation to an end, as its workflow would. */
export async function finish(
  database: Database,
  operationId: string | null,
  end: OperationEnd = { outcome: 'succeeded' },
) {
  if (operationId === null) throw new Error('Expected an operation')
  await beginOperation(database, operationId)
  await endOperation(database, operationId, end)
}

export async function statusOf(database: Database, table: 'volumes' | 'snapshots' | 'backups', id: string) {
  const row = await database.selectFrom(table).select('status').where('id', '=', id).executeTakeFirst()
  return row?.status
}
