/**
 * Loaded into every process of an installation by NODE_OPTIONS=--import: while there is a file `hold` beside the data folder, the data
 * worker's calls on what is kept in a place (its path has an id, or is in the folder `backups`; or `rbd` does it) do not return, as
 * those on a share or a cluster that is away. It makes "in the middle" of a call that takes a millisecond long enough to be met.
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const CALLS = [
  'copyFile',
  'link',
  'lstat',
  'mkdir',
  'open',
  'readdir',
  'readFile',
  'rename',
  'rm',
  'stat',
] as const
const IN_A_PLACE = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}|\/backups\//
const LOOK_AGAIN_MS = 20

if (process.argv[2] === 'data-worker') {
  const dataFolder = process.argv[process.argv.indexOf('--data') + 1] ?? ''
  const holdFile = join(dataFolder, '..', 'hold')
  for (const name of CALLS) {
    const call = promises[name] as (...args: unknown[]) => Promise<unknown>
    const held = async (...args: unknown[]) => {
      while (IN_A_PLACE.test(String(args[0])) && existsSync(holdFile)) await sleep(LOOK_AGAIN_MS)
      return call(...args)
    }
    Object.assign(promises, { [name]: held })
  }
  syncBuiltinESMExports()
  holdProgram('rbd', holdFile)
}

/** The worker finds ours first; it becomes the real one as soon as it may. */
function holdProgram(name: string, holdFile: string): void {
  const path = process.env.PATH ?? ''
  const folder = `${holdFile}-programs`
  const draft = join(folder, `${name}.${process.pid}`)
  mkdirSync(folder, { recursive: true })
  const lines = [
    '#!/bin/sh',
    `while [ -e '${holdFile}' ]; do sleep ${LOOK_AGAIN_MS / 1000}; done`,
    `export PATH='${path}'`,
    `exec ${name} "$@"`,
  ]
  writeFileSync(draft, `${lines.join('\n')}\n`, { mode: 0o755 })
  // A predecessor's children may still read the old one.
  renameSync(draft, join(folder, name))
  process.env.PATH = [folder, path].join(delimiter)
}
