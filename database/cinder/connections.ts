/** Cinder's attachments: who has reserved, has, or is getting a volume. */
import type { Database } from '../open.ts'

export interface AttachedRow {
  readonly id: string
  readonly volumeId: string
  readonly instanceId: string | null
  readonly hostName: string | null
  readonly mountpoint: string | null
  readonly attachedAt: string | null
}

/** Volume id -> who has it: by Cinder's attachments, or a guest that the native API has given it to. */
export async function attachedTo(
  database: Database,
  volumes: readonly { readonly id: string; readonly status: string }[],
): Promise<ReadonlyMap<string, AttachedRow[]>> {
  const ids = volumes.filter(({ status }) => !RESTING.has(status)).map(({ id }) => id)
  const found = new Map<string, AttachedRow[]>()
  if (ids.length === 0) return found
  const connections = await database
    .selectFrom('volumeConnections')
    .select(['id', 'volumeId', 'instanceId', 'hostName', 'mountpoint', 'attachedAt'])
    .where('volumeId', 'in', ids)
    .where('status', 'in', ['attached', 'detaching'])
    .execute()
  for (const one of connections) found.set(one.volumeId, [...(found.get(one.volumeId) ?? []), one])
  const guests = await database.selectFrom('attachments').selectAll().where('volumeId', 'in', ids).execute()
  for (const { id, volumeId, guest, createdAt } of guests) {
    if (found.has(volumeId)) continue
    found.set(volumeId, [
      { id, volumeId, instanceId: guest, hostName: null, mountpoint: null, attachedAt: createdAt },
    ])
  }
  return found
}

/** Most volumes: nobody has them, and nobody need be asked for. */
const RESTING = new Set(['available', 'creating', 'error'])
