/** What a call expects of volumes and sizes, with the error that says so. */
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { formatBytes } from '../../../domain/sizes.ts'
import { type Chain, readChain } from './layers.ts'
import { isOpenForWriting } from './writers.ts'

export async function needChain(directory: string, what: 'volume' | 'snapshot'): Promise<Chain> {
  const chain = await readChain(directory)
  if (chain !== undefined) return chain
  throw new DriverError('notFound', `Expected ${what} ${basename(directory)} to exist, it does not`)
}

/** The chain of a volume that no other process writes. */
export async function needClosed(directory: string): Promise<Chain> {
  const chain = await needChain(directory, 'volume')
  await needNoWriter(
    directory,
    chain.layers.map(({ path }) => path),
  )
  return chain
}

/** Waits a moment: a process that was told to end may still be about it. */
export async function needNoWriter(directory: string, paths: readonly string[]): Promise<void> {
  const deadlineMs = Date.now() + LIMITS.volumeCloseMs
  while (await isOpenForWriting(paths)) {
    if (Date.now() > deadlineMs) {
      throw new DriverError(
        'inUse',
        `Expected volume ${basename(directory)} to be closed, but a process on this host has it open for writing. ` +
          'Close it there (end the process, stop the guest), or attach the volume to that guest, and try again.',
      )
    }
    await sleep(LIMITS.volumeClosePollMs)
  }
}

/** The next write after a snapshot needs one layer more. */
export function checkDepth({ layers }: Chain, volumeId: string): void {
  if (layers.length < LIMITS.layerDepthMax) return
  throw new DriverError(
    'unsupported',
    `Expected volume ${volumeId} to have fewer than ${LIMITS.layerDepthMax} layers, got ${layers.length}: ` +
      'delete snapshots of it that are not needed, or copy it to a new volume',
  )
}

export async function checkSizeIs(directory: string, sizeBytes: number): Promise<void> {
  const chain = await needChain(directory, 'volume')
  if (chain.sizeBytes === sizeBytes) return
  const [wanted, found] = [formatBytes(sizeBytes), formatBytes(chain.sizeBytes)]
  throw new DriverError('invalid', `Expected volume ${basename(directory)} to have ${wanted}, got ${found}`)
}
