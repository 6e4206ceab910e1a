import { locate } from '../../scripts/setup/locate.ts'
import type { S3Place } from '../s3-place.ts'
import { runPeer } from './run-peer.ts'

export const hasRestic = () => locate('restic') !== undefined

/** Chunks, dedup, zstd and encryption, too: its defaults. Its cache is off, and its password does not matter. */
export function resticAt(place: S3Place, options: { folder: string; signal: AbortSignal }) {
  const { folder, signal } = options
  const env = {
    RESTIC_PASSWORD: 'bench',
    RESTIC_REPOSITORY: `s3:${place.endpoint}/${place.bucket}/${place.prefix}`,
    AWS_ACCESS_KEY_ID: place.accessKeyId,
    AWS_SECRET_ACCESS_KEY: place.secretAccessKey,
    HOME: folder,
  }
  const restic = (...args: string[]) =>
    runPeer('restic', ['--quiet', '--no-cache', ...args], { env, signal, onStdoutLine: () => {} })
  return {
    init: () => restic('init', '--repository-version', '2'),
    backup: (path: string) => restic('backup', path),
    /** The file gets its path below the target. */
    restore: (target: string) => restic('restore', 'latest', '--target', target),
  }
}
