import { RequestError } from '../../domain/errors.ts'
import type { DiskFormat } from '../../domain/disk-formats.ts'
import { setTags } from '../images/change.ts'
import type { Actor } from '../operations/accept.ts'
import { RESOURCE_TABLES, type Tx } from '../resources.ts'

export interface ImageRequest {
  /** The client's choice, a lower-case UUID. */
  readonly id?: string
  readonly name?: string | null
  /** Null or left out: to be said before the bytes come. */
  readonly diskFormat?: DiskFormat | null
  readonly containerFormat?: string | null
  readonly visibility?: string
  readonly protected?: boolean
  readonly hidden?: boolean
  readonly store?: string
  readonly minDiskGiB?: number
  readonly minRamMiB?: number
  readonly metadata?: Record<string, string>
  readonly tags?: readonly string[]
}

/** An image without bytes. */
export async function insertImage(
  tx: Tx,
  actor: Actor,
  request: ImageRequest,
  image: { imageId: string; store: string; status: 'queued' | 'saving' },
): Promise<void> {
  if (request.id !== undefined) await refuseKnownId(tx, request.id)
  await tx
    .insertInto('images')
    .values({
      id: image.imageId,
      projectId: actor.projectId,
      userId: actor.userId,
      name: request.name ?? null,
      description: null,
      status: image.status,
      metadata: JSON.stringify(request.metadata ?? {}),
      createdAt: new Date().toISOString(),
      updatedAt: null,
      store: image.store,
      diskFormat: request.diskFormat ?? null,
      containerFormat: request.containerFormat ?? null,
      visibility: request.visibility ?? 'private',
      protected: request.protected === true ? 1 : 0,
      osHidden: request.hidden === true ? 1 : 0,
      minDisk: request.minDiskGiB ?? 0,
      minRam: request.minRamMiB ?? 0,
      sizeBytes: null,
      virtualSizeBytes: null,
      checksum: null,
      osHashAlgo: null,
      osHashValue: null,
    })
    .execute()
  await setTags(tx, image.imageId, request.tags ?? [])
}

/** Locks and artifacts are known by their id alone: none may be that of another resource, or of bytes that are still to go. */
async function refuseKnownId(tx: Tx, id: string): Promise<void> {
  for (const table of [...Object.values(RESOURCE_TABLES), 'artifacts'] as const) {
    const row = await tx
      .selectFrom(table as 'images')
      .select('id')
      .where('id', '=', id)
      .executeTakeFirst()
    if (row !== undefined) throw new RequestError(409, 'imageExists', `Image ID ${id} already exists!`)
  }
}
