import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { ImageAccepted } from '../sdk/types.ts'
import { CliError, EXIT } from './exit-codes.ts'
import { untilInterrupted } from './interrupt.ts'
import { Progress } from './progress/progress.ts'
import type { Session } from './session.ts'

const READ_BYTES = 1024 * 1024
const PROGRESS_MS = 100

/** Its size in bytes. Throws CliError where there is nothing to upload. */
export async function checkFile(path: string): Promise<number> {
  const found = await stat(path).catch((error: unknown) => {
    throw new CliError(EXIT.usage, 'usage', `Expected --file to be a readable file, got "${path}".`, {
      cause: error,
    })
  })
  if (found.isFile() && found.size > 0) return found.size
  throw new CliError(EXIT.usage, 'usage', `Expected --file to be a file with an image in it, got "${path}".`)
}

/** Sends a file with live progress on standard error. An interrupted upload leaves the image queued. */
export async function uploadFile(session: Session, imageId: string, path: string): Promise<ImageAccepted> {
  const sizeBytes = await checkFile(path)
  const progress = session.json && !process.stderr.isTTY ? undefined : new Progress(process.stderr)
  let doneBytes = 0
  const show = () =>
    progress?.update({ kind: 'upload-image', phase: 'uploading', doneBytes, totalBytes: sizeBytes })
  async function* counted() {
    for await (const bytes of createReadStream(path, {
      highWaterMark: READ_BYTES,
    }) as AsyncIterable<Buffer>) {
      yield bytes
      doneBytes += bytes.length
    }
  }
  show()
  const timer = setInterval(show, PROGRESS_MS)
  let answer
  try {
    answer = await untilInterrupted((signal) =>
      session.client.uploadImage(imageId, counted(), { sizeBytes, signal }),
    )
  } finally {
    clearInterval(timer)
    progress?.end()
  }
  if (answer !== 'interrupted') return answer
  throw new CliError(
    EXIT.interrupted,
    'interrupted',
    `The upload was stopped; image ${imageId} is queued for another one.`,
  )
}
