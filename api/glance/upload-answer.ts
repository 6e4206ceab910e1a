import { RequestError } from '../../domain/errors.ts'
import { IMAGE_LIMITS } from '../../domain/image-limits.ts'
import { type OperationRow, requireOperation } from '../../database/operations/read.ts'
import type { ApiContext } from '../context.ts'

/**
 * Glance answers an upload when the image is active, and clients look at it at once: so we wait for the operation that checks the
 * bytes. Throws RequestError 400 when it found something wrong with them, or 409 when it was cancelled. Returns without an end when it
 * takes long: the bytes are safe, and the image goes on `saving`.
 */
export async function awaitUpload(
  context: ApiContext,
  key: { operationId: string; projectId: string },
): Promise<void> {
  const timeoutMs = context.uploadAnswerMs ?? IMAGE_LIMITS.uploadAnswerMs
  const deadline = AbortSignal.any([context.closing, AbortSignal.timeout(timeoutMs)])
  const watching = context.bell.watch((event) => event.operationId === key.operationId)
  try {
    while (!deadline.aborted) {
      const operation = await requireOperation(context.database, key)
      if (operation.finishedAt !== null) return refuseFailed(operation)
      await watching.news(IMAGE_LIMITS.uploadAnswerPollMs, deadline).catch(() => false)
    }
  } finally {
    watching.stop()
  }
}

function refuseFailed({ state, errorMessage }: OperationRow): void {
  if (state === 'succeeded') return
  if (state === 'cancelled') throw new RequestError(409, 'cancelled', 'The upload was cancelled.')
  throw new RequestError(400, 'imageRefused', `${errorMessage ?? 'The upload failed.'}`)
}
