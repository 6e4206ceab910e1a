import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { requireResource, setStatus, type Tx } from '../resources.ts'

/** One client's right to write an image's stage; it runs out unless bytes keep coming. */
export interface Upload {
  readonly imageId: string
  readonly token: string
  readonly store: string
  readonly diskFormat: 'raw' | 'qcow2'
}

/** queued -> saving. Throws RequestError 404, or 409 when the image has data, or another upload is under way or not yet cleared up. */
export async function beginUpload(database: Database, actor: Actor, imageId: string): Promise<Upload> {
  return database.transaction().execute(async (tx) => {
    const image = await requireResource(tx, 'image', { id: imageId, projectId: actor.projectId })
    if (image.status !== 'queued') {
      throw new RequestError(
        409,
        'invalidStatus',
        `Expected image ${imageId} to be queued for an upload, but its status is ${image.status}.`,
      )
    }
    await refuseRemains(tx, imageId)
    const row = { imageId, token: randomUUID(), leaseExpiresAtMs: Date.now() + LIMITS.uploadLeaseMs }
    await tx.insertInto('uploads').values(row).execute()
    await setStatus(tx, 'image', imageId, 'saving')
    return { imageId, token: row.token, store: image.store, diskFormat: image.diskFormat }
  })
}

/** What an earlier upload left in the store would be removed later, and the new bytes with it: both have the image's id. */
async function refuseRemains(tx: Tx, imageId: string): Promise<void> {
  const remains = await tx
    .selectFrom('artifacts')
    .select('operationId')
    .where('kind', '=', 'stage')
    .where('id', '=', imageId)
    .executeTakeFirst()
  if (remains === undefined) return
  throw new RequestError(
    409,
    'uploadRemains',
    `The bytes of an earlier upload of image ${imageId} are still being removed (operation ${remains.operationId}). Try again in a moment.`,
  )
}

/** False: the lease was lost, and the bytes must not be written any more. */
export async function renewUpload(database: Database, upload: Upload): Promise<boolean> {
  const { numUpdatedRows } = await database
    .updateTable('uploads')
    .set({ leaseExpiresAtMs: Date.now() + LIMITS.uploadLeaseMs })
    .where('imageId', '=', upload.imageId)
    .where('token', '=', upload.token)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

/** The bytes are complete in the stage: accepts the operation that checks and publishes them. */
export async function completeUpload(
  database: Database,
  actor: Actor,
  upload: Upload,
  staged: { sizeBytes: number; md5: string; sha512: string },
): Promise<{ operationId: string; resourceId: string }> {
  return database.transaction().execute(async (tx) => {
    const { imageId, store, diskFormat } = upload
    if (!(await endUpload(tx, upload))) {
      throw new RequestError(
        409,
        'uploadLost',
        `The upload of image ${imageId} took too long and was given up. Upload again.`,
      )
    }
    const hashes = { checksum: staged.md5, osHashAlgo: 'sha512', osHashValue: staged.sha512 }
    await tx
      .updateTable('images')
      .set({ sizeBytes: staged.sizeBytes, ...hashes })
      .where('id', '=', imageId)
      .execute()
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'upload-image',
      spec: { imageId, store, diskFormat },
      resources: { image: imageId },
      primary: 'image',
      artifacts: [
        { kind: 'stage', placeType: 'store', place: store, id: imageId, parentId: null, purpose: 'result' },
      ],
    })
    return { operationId, resourceId: imageId }
  })
}

/** saving -> queued; the caller has removed the stage. */
export async function abandonUpload(
  database: Database,
  upload: Pick<Upload, 'imageId' | 'token'>,
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    if (await endUpload(tx, upload)) await setStatus(tx, 'image', upload.imageId, 'queued')
  })
}

async function endUpload(tx: Tx, upload: Pick<Upload, 'imageId' | 'token'>): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('uploads')
    .where('imageId', '=', upload.imageId)
    .where('token', '=', upload.token)
    .executeTakeFirstOrThrow()
  return numDeletedRows === 1n
}

/** Uploads whose API process or client is gone. */
export async function expiredUploads(
  database: Database,
  limit: number,
): Promise<{ imageId: string; token: string; store: string }[]> {
  return database
    .selectFrom('uploads')
    .innerJoin('images', 'images.id', 'uploads.imageId')
    .select(['uploads.imageId', 'uploads.token', 'images.store'])
    .where('uploads.leaseExpiresAtMs', '<', Date.now())
    .limit(limit)
    .execute()
}
