import { randomUUID } from 'node:crypto'
import type { Artifact } from '../../domain/artifacts.ts'
import { blockFormat, type BlockFormat } from '../../domain/disk-formats.ts'
import { RequestError } from '../../domain/errors.ts'
import { IMAGE_TRANSITIONS, mayImage } from '../../domain/glance-status.ts'
import { IMAGE_LIMITS } from '../../domain/image-limits.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import type { ImageRow } from '../read.ts'
import { requireResource, setStatus, type Tx } from '../resources.ts'
import { choosePlace } from './checks.ts'
import type { PlaceNames } from './places.ts'

/** `upload`: the bytes are checked and published when they are complete. `stage`: they wait for an import. */
export type UploadPurpose = 'upload' | 'stage'

/** One client's right to write an image's stage; it runs out unless bytes keep coming. */
export interface Upload {
  readonly imageId: string
  readonly token: string
  readonly store: string
}

interface Staged {
  readonly sizeBytes: number
  readonly md5: string
  readonly sha512: string
}

/**
 * queued -> saving or uploading. Throws RequestError 404, 400 when the formats of an upload were not said, or 409 when the image has
 * data, or another upload is under way or not yet cleared up.
 */
export async function beginUpload(
  database: Database,
  actor: Actor,
  imageId: string,
  purpose: UploadPurpose = 'upload',
): Promise<Upload> {
  return database.transaction().execute(async (tx) => {
    const image = await requireResource(tx, 'image', { id: imageId, projectId: actor.projectId })
    if (!mayImage(purpose, image.status)) {
      throw new RequestError(
        409,
        'invalidStatus',
        `Expected image ${imageId} to be queued for an upload, but its status is ${image.status}.`,
      )
    }
    if (purpose === 'upload') requireFormat(image)
    await refuseRemains(tx, imageId)
    const row = { imageId, token: randomUUID(), leaseExpiresAtMs: Date.now() + LIMITS.uploadLeaseMs }
    await tx
      .insertInto('uploads')
      .values({ ...row, sizeBytes: null, md5: null, sha512: null })
      .execute()
    await setStatus(tx, 'image', imageId, IMAGE_TRANSITIONS[purpose].during)
    return { imageId, token: row.token, store: image.store }
  })
}

/** Where the bytes of an image are to go that has none yet. Throws RequestError 400 for an unknown store. */
export async function chooseImageStore(
  database: Database,
  image: { imageId: string; store: string },
  places: PlaceNames,
): Promise<void> {
  const store = choosePlace('store', image.store, places.stores)
  await database
    .updateTable('images')
    .set({ store })
    .where('id', '=', image.imageId)
    .where('status', '=', 'queued')
    .execute()
}

/** Glance's words: its users look for them. */
function requireFormat({ diskFormat, containerFormat }: ImageRow): BlockFormat {
  const missing = [
    ...(diskFormat === null ? ['disk_format'] : []),
    ...(containerFormat === null ? ['container_format'] : []),
  ]
  if (diskFormat !== null && containerFormat !== null) return blockFormat(diskFormat)
  throw new RequestError(
    400,
    'formatMissing',
    `Properties ${missing.join(', ')} must be set prior to saving data.`,
  )
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
  staged: Staged,
): Promise<{ operationId: string; resourceId: string }> {
  return database.transaction().execute(async (tx) => {
    if (!(await endUpload(tx, upload))) throw uploadLost(upload)
    return acceptBytes(tx, actor, { imageId: upload.imageId, staged, role: 'image' })
  })
}

/** The bytes are complete, and stay in the stage until they are imported, but not for ever. */
export async function completeStage(database: Database, upload: Upload, staged: Staged): Promise<void> {
  const { numUpdatedRows } = await database
    .updateTable('uploads')
    .set({ ...staged, leaseExpiresAtMs: Date.now() + IMAGE_LIMITS.stagedMs })
    .where('imageId', '=', upload.imageId)
    .where('token', '=', upload.token)
    .executeTakeFirstOrThrow()
  if (numUpdatedRows === 0n) throw uploadLost(upload)
}

/** uploading -> importing: as `completeUpload`, of bytes that were staged before. Throws RequestError 404, 400 or 409. */
export async function requestImport(
  database: Database,
  actor: Actor,
  imageId: string,
): Promise<{ operationId: string; resourceId: string }> {
  return database.transaction().execute(async (tx) => {
    const { status } = await requireResource(tx, 'image', { id: imageId, projectId: actor.projectId })
    if (!mayImage('import', status)) {
      throw new RequestError(
        409,
        'invalidStatus',
        `Expected the bytes of image ${imageId} to be staged (status uploading) for an import, but its status is ${status}.`,
      )
    }
    const staged = await takeStaged(tx, imageId)
    return acceptBytes(tx, actor, { imageId, staged, role: 'staged' })
  })
}

async function takeStaged(tx: Tx, imageId: string): Promise<Staged> {
  const upload = await tx
    .selectFrom('uploads')
    .select(['sizeBytes', 'md5', 'sha512'])
    .where('imageId', '=', imageId)
    // Whoever clears up after them may be at it.
    .where('leaseExpiresAtMs', '>', Date.now())
    .executeTakeFirst()
  const { sizeBytes = null, md5 = null, sha512 = null } = upload ?? {}
  if (sizeBytes === null || md5 === null || sha512 === null) {
    throw new RequestError(
      409,
      'stageIncomplete',
      `The bytes of image ${imageId} are not, or not yet, all staged.`,
    )
  }
  await tx.deleteFrom('uploads').where('imageId', '=', imageId).execute()
  return { sizeBytes, md5, sha512 }
}

async function acceptBytes(
  tx: Tx,
  actor: Actor,
  { imageId, staged, role }: { imageId: string; staged: Staged; role: 'image' | 'staged' },
): Promise<{ operationId: string; resourceId: string }> {
  const image = await tx.selectFrom('images').selectAll().where('id', '=', imageId).executeTakeFirstOrThrow()
  const diskFormat = requireFormat(image)
  const hashes = { checksum: staged.md5, osHashAlgo: 'sha512', osHashValue: staged.sha512 }
  await tx
    .updateTable('images')
    .set({ sizeBytes: staged.sizeBytes, ...hashes })
    .where('id', '=', imageId)
    .execute()
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'upload-image',
    spec: { imageId, store: image.store, diskFormat },
    resources: { [role]: imageId },
    primary: role,
    artifacts: [stageArtifact(image)],
  })
  return { operationId, resourceId: imageId }
}

export function stageArtifact({ id, store }: { id: string; store: string }): Artifact {
  return { kind: 'stage', placeType: 'store', place: store, id, parentId: null, purpose: 'result' }
}

/**
 * For an image that is to be deleted. True: there were staged bytes, which the caller has to remove. Throws RequestError 409 when they
 * are still coming.
 */
export async function dropStaged(tx: Tx, { id, status }: ImageRow): Promise<boolean> {
  if (status !== IMAGE_TRANSITIONS.stage.to) return false
  await takeStaged(tx, id)
  return true
}

/** saving or uploading -> queued; the caller has removed the stage. */
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

function uploadLost({ imageId }: Upload): RequestError {
  return new RequestError(
    409,
    'uploadLost',
    `The upload of image ${imageId} took too long and was given up. Upload again.`,
  )
}

/** Uploads whose API process or client is gone, and staged bytes that nobody imported. */
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
