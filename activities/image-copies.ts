import { Readable } from 'node:stream'
import { DriverError } from '../domain/errors.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import { attempted, type RunningAttempt } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type Input = OperationSpecs['copy-image'] & { operationId: string }

export function createImageCopyActivities(deps: ActivityDependencies) {
  return {
    /**
     * The image's bytes into the stage of another store, hashed on the way: other bytes than were uploaded are no copy. A stage that
     * was begun cannot be gone on with, since its hashes began with it.
     */
    copyImageBytes: (input: Input): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const { imageId, sizeBytes } = input
        const bytes = await place(deps.stores, 'store', input.store).readImage(imageId)
        const progress = {
          sizeMaxBytes: sizeBytes,
          signal: attempt.signal,
          onBytes: (doneBytes: number) =>
            attempt.progress({ phase: 'copying', doneBytes, totalBytes: sizeBytes, movedBytes: doneBytes }),
        }
        const staged = await place(deps.stores, 'store', input.toStore)
          .writeStage(imageId, Readable.from(paced(bytes, attempt)), progress)
          // Of a copy that ended before its first byte nobody else closes what was opened.
          .finally(() => bytes.destroy())
        if (staged.sha512 !== input.sha512) {
          throw new DriverError(
            'corrupt',
            `Expected the bytes of image ${imageId} in store ${input.store} to have the SHA-512 that they were uploaded with, they do not`,
          )
        }
        return { path: 'copy', movedBytes: staged.sizeBytes }
      }),
  }
}

async function* paced(bytes: Readable, attempt: RunningAttempt): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes as AsyncIterable<Uint8Array>) {
    await attempt.pace(piece.length)
    yield piece
  }
}
