/** What is known of a backend besides its configuration: how much room it has, and whether it gets new volumes. */
import type { Selectable } from 'kysely'
import type { Database } from '../open.ts'
import type { BackendStatesTable } from './schema.ts'

export type BackendState = Selectable<BackendStatesTable>

export async function backendStates(database: Database): Promise<ReadonlyMap<string, BackendState>> {
  const rows = await database.selectFrom('backendStates').selectAll().execute()
  return new Map(rows.map((row) => [row.backend, row]))
}

export async function changeBackendState(
  database: Database,
  backend: string,
  change: Partial<Omit<BackendState, 'backend'>>,
): Promise<void> {
  await database
    .insertInto('backendStates')
    .values({ backend, ...change })
    .onConflict((conflict) => conflict.column('backend').doUpdateSet(change))
    .execute()
}

/** Backend -> bytes that its volumes have been promised. */
export async function allPromisedBytes(database: Database): Promise<ReadonlyMap<string, number>> {
  const rows = await database
    .selectFrom('volumes')
    .select((eb) => ['backend', eb.fn.sum<number>('sizeBytes').as('bytes')])
    .groupBy('backend')
    .execute()
  return new Map(rows.map(({ backend, bytes }) => [backend, Number(bytes)]))
}
