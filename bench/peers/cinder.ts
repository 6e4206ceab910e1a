import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { S3Place } from '../s3-place.ts'
import { runPeer, type Usage } from './run-peer.ts'

const PYTHON = '/usr/bin/python3'
const DRIVER = '/usr/lib/python3/dist-packages/cinder/backup/drivers/s3.py'
const HARNESS = fileURLToPath(new URL('./cinder-driver.py', import.meta.url))

/** Debian's packages cinder-common and python3-zstd. */
export const hasCinder = () => existsSync(PYTHON) && existsSync(DRIVER)

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
  }
  const state = join(folder, `cinder-${compression}.json`)
  const cinder = async (action: 'backup' | 'restore', path: string): Promise<Usage> => {
    const { stdout } = await runPeer(PYTHON, [HARNESS, action, path, state], { env, signal })
    return JSON.parse(stdout)
  }
  return {
    backup: (path: string) => cinder('backup', path),
    restore: (path: string) => cinder('restore', path),
  }
}
