import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** What the set-up fetched and built, shared by every clone of this user. */
export const CACHE_FOLDER = join(homedir(), '.cache', 'volflow')
export const CACHE_BIN = join(CACHE_FOLDER, 'bin')

/** Absolute path of a program, or undefined where this machine does not have it. */
export function locate(program: string): string | undefined {
  return searchPath()
    .map((folder) => join(folder, program))
    .find(isExecutable)
}

/** PATH, and then the places where Go, Debian's administration tools and our own set-up put programs. */
export function searchPath(): string[] {
  const goPath = process.env.GOPATH ?? join(homedir(), 'go')
  return [
    ...(process.env.PATH ?? '').split(delimiter),
    CACHE_BIN,
    process.env.GOBIN ?? join(goPath, 'bin'),
    '/usr/local/go/bin',
    join(CACHE_FOLDER, 'go', 'bin'),
    '/usr/sbin',
    '/sbin',
  ].filter((folder, index, all) => folder !== '' && all.indexOf(folder) === index)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
