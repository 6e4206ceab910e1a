import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cinder, cinderPython } from '../../scripts/setup/cinder.ts'
import type { S3Place } from '../s3-place.ts'
import { runPeer, type Usage } from './run-peer.ts'

const HARNESS = fileURLToPath(new URL('./cinder-driver.py', import.meta.url))

export const hasCinder = () => cinder.isPresent()

export type CinderCompression = 'zlib' | 'zstd'

export function cinderAt(
  place: S3Place,
  options: { compression: CinderCompression; sizeBytes: number; folder: string; signal: AbortSignal },
) {
  const { compression, sizeBytes, folder, signal } = options
  const env = {
    ENDPOINT: place.endpoint,
    BUCKET: place.bucket,
    AWS_ACCESS_KEY_ID: place.accessKeyId,
    AWS_SECRET_ACCESS_KEY: place.secretAccessKey,
    AWS_DEFAULT_REGION: place.region,
    COMPRESSION: compression,
    SIZE_BYTES: String(sizeBytes),
    HOME: folder,
    ...cinderPython.env,
  }
  const state = join(folder, `cinder-${compression}.json`)
  const run = async (action: 'backup' | 'restore', path: string): Promise<Usage> => {
    const { stdout } = await runPeer(cinderPython.command, [HARNESS, action, path, state], { env, signal })
    return JSON.parse(stdout)
  }
  return {
    backup: (path: string) => run('backup', path),
    restore: (path: string) => run('restore', path),
  }
}
