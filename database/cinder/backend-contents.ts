import type { Database } from '../open.ts'

export interface Sized {
  readonly projectId: string
  readonly sizeBytes: number
}

/** What a backend holds, and whose it is. */
export async function backendContents(
  database: Database,
  backend: string,
): Promise<{ readonly volumes: readonly Sized[]; readonly snapshots: readonly Sized[] }> {
  const [volumes, snapshots] = await Promise.all(
    (['volumes', 'snapshots'] as const).map((table) =>
      database.selectFrom(table).select(['projectId', 'sizeBytes']).where('backend', '=', backend).execute(),
    ),
  )
  return { volumes: volumes ?? [], snapshots: snapshots ?? [] }
}
