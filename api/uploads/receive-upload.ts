import type { IncomingMessage } from 'node:http'
import { DriverError, RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Actor } from '../../database/operations/accept.ts'
import {
  abandonUpload,
  beginUpload,
  completeStage,
  completeUpload,
  type Upload,
  type UploadPurpose,
} from '../../database/requests/uploads.ts'
import type { ImageStore, StagedBytes } from '../../drivers/images/driver.ts'
import type { ApiContext } from '../context.ts'
import { HttpError } from '../http-error.ts'
import { IncomingBody, tooLarge } from './incoming-body.ts'
import { UploadLease } from './upload-lease.ts'

export interface IncomingUpload {
  readonly message: IncomingMessage
  /** As announced; left out: the body is chunked. */
  readonly sizeBytes?: number
  /** What the client expects the bytes to be, and how many; the latter is known to be right only at the end. */
  readonly sha512?: string
  readonly expectedSizeBytes?: number
}

/**
 * Streams an image's bytes into its stage and accepts the operation that checks them. Throws RequestError or HttpError; then the
 * stage is gone and the image is `queued` again.
 */
export async function receiveUpload(
  context: ApiContext,
  actor: Actor,
  imageId: string,
  incoming: IncomingUpload,
): Promise<{ operationId: string }> {
  return receive(context, actor, { imageId, purpose: 'upload', incoming }, (upload, staged) =>
    completeUpload(context.database, actor, upload, staged),
  )
}

/** As `receiveUpload`, but the bytes stay in the stage until they are imported. */
export async function receiveStage(
  context: ApiContext,
  actor: Actor,
  imageId: string,
  incoming: IncomingUpload,
): Promise<void> {
  await receive(context, actor, { imageId, purpose: 'stage', incoming }, (upload, staged) =>
    completeStage(context.database, upload, staged),
  )
}

interface Reception {
  readonly imageId: string
  readonly purpose: UploadPurpose
  readonly incoming: IncomingUpload
}

async function receive<R>(
  context: ApiContext,
  actor: Actor,
  { imageId, purpose, incoming }: Reception,
  complete: (upload: Upload, staged: StagedBytes) => Promise<R>,
): Promise<R> {
  const sizeMaxBytes = context.imageSizeMaxBytes ?? LIMITS.imageSizeMaxBytes
  if (incoming.sizeBytes === 0) throw empty()
  if (incoming.sizeBytes !== undefined && incoming.sizeBytes > sizeMaxBytes) throw tooLarge(sizeMaxBytes)
  const upload = await beginUpload(context.database, actor, imageId, purpose)
  try {
    const store = storeOf(context, upload)
    const staged = await stage(context, upload, store, incoming.message, sizeMaxBytes)
    checkBytes(staged, incoming)
    return await complete(upload, staged)
  } catch (error) {
    await giveUp(context, actor, upload, purpose)
    throw error
  }
}

async function stage(
  context: ApiContext,
  upload: Upload,
  store: ImageStore,
  message: IncomingMessage,
  sizeMaxBytes: number,
): Promise<StagedBytes> {
  const body = new IncomingBody(message, sizeMaxBytes)
  const lease = new UploadLease(context.database, upload, body)
  const signal = AbortSignal.any([lease.lost, context.closing])
  try {
    return await store.writeStage(upload.imageId, body, { sizeMaxBytes, signal })
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw body.errored instanceof HttpError ? body.errored : refusal(error)
  } finally {
    lease.stop()
    body.destroy()
  }
}

function storeOf({ imageStores }: ApiContext, { store: name }: Upload): ImageStore {
  const store = imageStores.get(name)
  if (store !== undefined) return store
  throw new HttpError(
    503,
    'storeMissing',
    `Store ${name} of the image is not configured in this service any more.`,
  )
}

function checkBytes(staged: StagedBytes, { sha512, expectedSizeBytes }: IncomingUpload): void {
  if (staged.sizeBytes === 0) throw empty()
  if (expectedSizeBytes !== undefined && expectedSizeBytes !== staged.sizeBytes) {
    throw new RequestError(
      400,
      'sizeMismatch',
      `Expected ${expectedSizeBytes} bytes, as announced, got ${staged.sizeBytes}. Upload again.`,
    )
  }
  if (sha512 === undefined || sha512 === staged.sha512) return
  throw new RequestError(
    400,
    'hashMismatch',
    `Expected bytes with SHA-512 ${sha512}, got ${staged.sha512}. Upload again.`,
  )
}

/**
 * Only who has the lease may touch the stage. Where it ran out, whoever noticed has made the image `queued`: taking the lease anew
 * shows that nobody else is uploading by now, and lets the stage be removed that was finished too late.
 */
async function giveUp(
  context: ApiContext,
  actor: Actor,
  upload: Upload,
  purpose: UploadPurpose,
): Promise<void> {
  const { database, imageStores, logger } = context
  try {
    const held = await UploadLease.isHeld(database, upload)
    const own = held ? upload : await beginUpload(database, actor, upload.imageId, purpose)
    await imageStores.get(own.store)?.discardStage(own.imageId)
    await abandonUpload(database, own)
  } catch (error) {
    if (error instanceof RequestError) return
    logger.warn(
      { imageId: upload.imageId, err: error },
      'upload not cleaned up; the sweeper does it when its lease ends',
    )
  }
}

function refusal(error: unknown): unknown {
  if (!(error instanceof DriverError)) return error
  const { kind, message } = error
  if (kind === 'full') return new HttpError(507, 'storeFull', message, { cause: error })
  if (kind === 'busy' || kind === 'transient')
    return new HttpError(503, 'storeUnavailable', message, { cause: error })
  return error
}

function empty(): HttpError {
  return new HttpError(400, 'imageEmpty', 'Expected the bytes of an image, got none.')
}
