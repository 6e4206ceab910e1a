import { join } from 'node:path'
import { runProcess } from '../block-io/process.ts'
import { aptInstall, aptRemedy } from '../scripts/setup/apt.ts'
import type { Component } from '../scripts/setup/component.ts'
import { locate } from '../scripts/setup/locate.ts'

/** A peer for backups: chunks, dedup, zstd and encryption, too. */
export const restic: Component = {
  title: 'restic, to compare with',
  remedy: aptRemedy(['restic']),
  isPresent: () => locate('restic') !== undefined,
  install: () => aptInstall(['restic']),
}

/** Of one folder: repository and cache are in it. */
export function resticIn(folder: string, signal: AbortSignal) {
  const env = { RESTIC_PASSWORD: 'bench', RESTIC_REPOSITORY: join(folder, 'repository'), HOME: folder }
  const restic = (...args: string[]) =>
    runProcess('restic', ['--quiet', '--no-cache', ...args], { env, signal, onStdoutLine: () => {} })
  return {
    init: () => restic('init'),
    backup: (path: string) => restic('backup', path),
    restore: (target: string) => restic('restore', 'latest', '--target', target),
  }
}
