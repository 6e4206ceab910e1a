import type { Selectable, Transaction } from 'kysely'
import { RequestError } from '../domain/errors.ts'
import type { ResourceType } from '../domain/operations.ts'
import { removeImageParts } from './images/remove-parts.ts'
import type { Database } from './open.ts'
import type { Schema } from './schema.ts'

export type Tx = Transaction<Schema>

/** Table of each resource type; a target is configuration and has none. */
export const RESOURCE_TABLES = {
  image: 'images',
  volume: 'volumes',
  snapshot: 'snapshots',
  backup: 'backups',
} as const satisfies Partial<Record<ResourceType, keyof Schema>>

export type StoredResourceType = keyof typeof RESOURCE_TABLES

export function isStored(type: ResourceType): type is StoredResourceType {
  return type !== 'target'
}

/** The row, if it exists in this project; else a 404 that does not tell whether another project has it. */
export async function requireResource<T extends StoredResourceType>(
  database: Database | Tx,
  type: T,
  key: { id: string; projectId: string },
) {
  const row = await database
    .selectFrom(tableOf(type))
    .selectAll()
    .where('id', '=', key.id)
    .where('projectId', '=', key.projectId)
    .executeTakeFirst()
  if (row === undefined) {
    throw new RequestError(404, `${type}NotFound`, `${capitalised(type)} ${key.id} could not be found.`)
  }
  return row as unknown as Selectable<Schema[(typeof RESOURCE_TABLES)[T]]>
}

/** The columns used here are common to all resource tables; the type of one of them stands for all. */
function tableOf(type: StoredResourceType): 'volumes' {
  return RESOURCE_TABLES[type] as 'volumes'
}

export async function resourceStatus(
  tx: Tx,
  type: StoredResourceType,
  id: string,
): Promise<string | undefined> {
  const row = await tx.selectFrom(tableOf(type)).select('status').where('id', '=', id).executeTakeFirst()
  return row?.status
}

export async function setStatus(tx: Tx, type: StoredResourceType, id: string, status: string): Promise<void> {
  await tx
    .updateTable(tableOf(type))
    .set({ status, updatedAt: new Date().toISOString() })
    .where('id', '=', id)
    .execute()
}

export async function removeResource(tx: Tx, type: StoredResourceType, id: string): Promise<void> {
  if (type === 'image') await removeImageParts(tx, id)
  await tx.deleteFrom(tableOf(type)).where('id', '=', id).execute()
}

export function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
