import type { OperationSpecs } from '../../domain/operations.ts'
import type { Database } from '../open.ts'

/**
 * After the commit point of a migration, in one transaction: the volume is in its new backend, and the copy in the old one is what
 * there is to release. Whatever happens to the operation before or after this, exactly one copy stays. Repeatable.
 */
export async function switchBackend(database: Database, operationId: string): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const operation = await tx
      .selectFrom('operations')
      .select('spec')
      .where('id', '=', operationId)
      .where('kind', '=', 'migrate-volume')
      .where('state', '=', 'running')
      .executeTakeFirst()
    // It was ended by hand: its artifacts were released as they were.
    if (operation === undefined) return
    const spec = JSON.parse(operation.spec) as OperationSpecs['migrate-volume']
    await tx.updateTable('volumes').set({ backend: spec.toBackend }).where('id', '=', spec.volumeId).execute()
    await tx
      .updateTable('artifacts')
      .set({ place: spec.backend, purpose: 'temporary' })
      .where('operationId', '=', operationId)
      .where('place', '=', spec.toBackend)
      .execute()
  })
}
