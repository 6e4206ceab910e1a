import type { Actor } from '../operations/accept.ts'
import type { Tx } from '../resources.ts'

export interface ImageRequest {
  readonly name?: string
  readonly diskFormat: 'raw' | 'qcow2'
  readonly store?: string
  readonly minDiskGiB?: number
  readonly minRamMiB?: number
  readonly metadata?: Record<string, string>
}

/** An image without bytes. */
export async function insertImage(
  tx: Tx,
  actor: Actor,
  request: ImageRequest,
  image: { imageId: string; store: string; status: 'queued' | 'saving' },
): Promise<void> {
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
      diskFormat: request.diskFormat,
      containerFormat: 'bare',
      visibility: 'private',
      protected: 0,
      osHidden: 0,
      minDisk: request.minDiskGiB ?? 0,
      minRam: request.minRamMiB ?? 0,
      sizeBytes: null,
      virtualSizeBytes: null,
      checksum: null,
      osHashAlgo: null,
      osHashValue: null,
    })
    .execute()
}
