/**
 * Loaded into every process of an installation by NODE_OPTIONS=--import: while there is a file `hold` beside the data folder, the data
 * worker's calls on what is kept in a place (its path has an id, or is in the folder `backups`) do not return, as those on a share
 * whose server is away. It makes "in the middle" of a call that takes a millisecond long enough to be met.
 */
import { existsSync } from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
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
}
