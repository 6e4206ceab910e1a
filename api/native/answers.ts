import type { z } from 'zod'
import { RequestError } from '../../domain/errors.ts'
import type { Actor } from '../../database/operations/accept.ts'
import type { Accepted } from '../../database/operations/idempotency.ts'
import { requireOperation } from '../../database/operations/read.ts'
import {
  type BackupRow,
  holderOf,
  type ImageRow,
  type SnapshotRow,
  type VolumeRow,
} from '../../database/read.ts'
import { requireResource, type StoredResourceType } from '../../database/resources.ts'
import type { ApiContext } from '../context.ts'
import type { OPERATION } from './schemas.ts'
import { operationView } from './views.ts'

/** Dispatches what was accepted and shows it. A repeated request dispatches again, which is harmless. */
export async function accept(
  context: ApiContext,
  actor: Actor,
  { operationId }: Pick<Accepted, 'operationId'>,
): Promise<z.infer<typeof OPERATION>> {
  if (operationId === null) throw new Error('Expected an operation to have been accepted')
  context.dispatches.start(operationId)
  return operationView(await requireOperation(context.database, { operationId, projectId: actor.projectId }))
}

export interface Rows {
  volume: VolumeRow
  snapshot: SnapshotRow
  image: ImageRow
  backup: BackupRow
}

/** The resource with the operation that holds it. Throws RequestError 404. */
export async function showOne<T extends StoredResourceType, V extends object>(
  { database }: ApiContext,
  type: T,
  key: { id: string; projectId: string },
  view: (row: Rows[T]) => V,
): Promise<V & { holderOperationId?: string }> {
  const shown = view((await requireResource(database, type, key)) as unknown as Rows[T])
  const holderOperationId = await holderOf(database, key.id)
  return holderOperationId === undefined ? shown : { ...shown, holderOperationId }
}

/** As `showOne`; null when the resource is gone. */
export async function showIfPresent<T extends StoredResourceType, V extends object>(
  context: ApiContext,
  type: T,
  key: { id: string; projectId: string },
  view: (row: Rows[T]) => V,
): Promise<(V & { holderOperationId?: string }) | null> {
  try {
    return await showOne(context, type, key, view)
  } catch (error) {
    if (error instanceof RequestError && error.status === 404) return null
    throw error
  }
}

/** Asks for one more than the page holds, to know whether there is another page. */
export async function pageOf<R extends { id: string }, V>(
  limit: number,
  read: (limit: number) => Promise<R[]>,
  view: (row: R) => V,
): Promise<{ items: V[]; next: string | null }> {
  const rows = await read(limit + 1)
  const shown = rows.slice(0, limit)
  return { items: shown.map(view), next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null }
}
