import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { locate } from '../../scripts/setup/locate.ts'
import { runPeer, type Usage } from './run-peer.ts'

export const hasBorg = () => locate('borg') !== undefined

/** A repository in `folder`: chunks of 4 MiB as ours, lz4, not encrypted. Nothing about files is remembered: everything is read. */
export function borgIn(folder: string, signal: AbortSignal) {
  const repository = join(folder, 'repository')
  const env = { BORG_BASE_DIR: folder, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes', HOME: folder }
  const borg = (cwd: string, ...args: string[]) =>
    runPeer('env', ['-C', cwd, 'borg', ...args], { env, signal, onStdoutLine: () => {} })
  const create = [
    'create',
    '--chunker-params',
    'fixed,4194304',
    '--compression',
    'lz4',
    '--files-cache',
    'disabled',
  ]
  return {
    init: async (): Promise<Usage> => {
      await mkdir(folder, { recursive: true })
      return borg('/', 'init', '--encryption', 'none', repository)
    },
    backup: (path: string, name: string) => borg('/', ...create, `${repository}::${name}`, path),
    /** Below `target`, which exists. */
    restore: (name: string, target: string) => borg(target, 'extract', '--sparse', `${repository}::${name}`),
  }
}
