/** What the tests do again and again, through the public API. */
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { ApiError } from '../../sdk/errors.ts'
import type { Operation } from '../../sdk/types.ts'
import { volumeSha256 } from '../checker/volume-sha256.ts'
import type { Installation } from './installation.ts'

export const MiB = 1024 * 1024

type Started = Promise<{ readonly operation: Operation }>

/** Waits for the end of what was started, and expects it to be this. */
export async function ended(
  installation: Installation,
  started: Started | Operation,
  state: Operation['state'] = 'succeeded',
): Promise<Operation> {
  const { id } = 'id' in started ? started : (await started).operation
  const operation = await installation.client.waitForOperation(id)
  expect(operation, JSON.stringify(operation.error)).toMatchObject({ state })
  return operation
}

/** Uploads a file as an image and waits until it is active. */
export async function uploadImage(
  installation: Installation,
  path: string,
  diskFormat: 'raw' | 'qcow2',
): Promise<string> {
  const { client } = installation
  const image = await client.createImage({ diskFormat })
  // Not a Blob: Node's have room for 4 GiB.
  const bytes = createReadStream(path) as AsyncIterable<Uint8Array>
  await ended(installation, client.uploadImage(image.id, bytes, { sizeBytes: (await stat(path)).size }))
  return image.id
}

/** Bytes of the disk that a volume's own layers take: what was physically written so far. 0: no such volume yet. */
export async function writtenBytes(installation: Installation, volumeId: string): Promise<number> {
  return allocatedBytes(installation.volumeFolder(volumeId))
}

/** Of the files in a folder; 0 when there is none. */
export async function allocatedBytes(folder: string): Promise<number> {
  try {
    const files = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))))
    return files.reduce((sum, { blocks }) => sum + blocks * 512, 0)
  } catch {
    return 0
  }
}

/** Looks every few milliseconds unless told otherwise: what it waits for may be over soon. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
  intervalMs = 3,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`Expected within ${timeoutMs} ms: ${what}`)
    await sleep(intervalMs)
  }
}

/** -9, and waits until the next attempt works. */
export async function killWorkerOf(installation: Installation, { id }: Operation): Promise<void> {
  process.kill(await installation.servicePid('data-worker'), 'SIGKILL')
  await until('a second attempt', async () => {
    const { state, attempt } = await installation.client.showOperation(id)
    return state === 'running' && attempt === 2
  })
}

export async function sha256OfVolume(installation: Installation, volumeId: string): Promise<string> {
  return volumeSha256(installation.volumeFolder(volumeId))
}

export async function expectNotFound(request: Promise<unknown>): Promise<void> {
  const error = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ApiError)
  expect(error).toMatchObject({ status: 404 })
}
