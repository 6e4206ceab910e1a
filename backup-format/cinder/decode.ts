/** From an object's stored bytes to the volume's. What it says about itself is a claim: nothing here depends on its being true. */
import { pipeline, type Readable, type Transform } from 'node:stream'
import { createInflate, createZstdDecompress } from 'node:zlib'
import { startFilter } from '../../block-io/process.ts'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { MiB } from '../../domain/sizes.ts'
import type { Compression } from './metadata.ts'

/** bzip2 needs 4 MB for any input; Node has no decoder for it, and those in JavaScript are ten times as slow. */
const BZIP2_LIMITS = { addressSpaceBytes: 64 * MiB }

/**
 * In pieces of some size, however much it becomes. Bytes that cannot be decompressed: `corrupt`. Whoever stops reading early ends
 * everything behind it.
 */
export async function* decode(
  stored: Readable,
  compression: Compression,
  name: string,
): AsyncGenerator<Buffer> {
  const chunkSize = LIMITS.cinderDecodeBytes
  try {
    if (compression === 'none') yield* stored as AsyncIterable<Buffer>
    else if (compression === 'zlib') yield* through(stored, createInflate({ chunkSize }))
    else if (compression === 'zstd') yield* through(stored, createZstdDecompress({ chunkSize }))
    else yield* bunzip2(stored)
  } catch (error) {
    if (error instanceof DriverError) throw error
    const message = `Expected object ${name} to be ${compression}, it cannot be decompressed`
    throw new DriverError('corrupt', message, { cause: error })
  }
}

async function* through(stored: Readable, decoder: Transform): AsyncGenerator<Buffer> {
  // A failure of the store reaches the decoder as its own.
  pipeline(stored, decoder, () => undefined)
  yield* decoder as AsyncIterable<Buffer>
}

async function* bunzip2(stored: Readable): AsyncGenerator<Buffer> {
  const { stream, exited } = startFilter('bzip2', ['--decompress', '--stdout'], BZIP2_LIMITS)
  let storeFailure: Error | undefined
  stored.once('error', (error) => {
    storeFailure = error
  })
  pipeline(stored, stream, () => undefined)
  try {
    yield* stream as AsyncIterable<Buffer>
  } catch {
    // Its end says more.
  }
  const { failure } = await exited
  // It is not installed, or not started: that is no fault of the bytes.
  if (failure?.kind === 'invalid') throw failure
  if (storeFailure !== undefined) throw storeFailure
  if (failure !== undefined) throw new Error(failure.message)
}
