import { accessSync, constants, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** What the set-up fetched and built, shared by every clone of this user. */
export const CACHE_FOLDER = join(homedir(), '.cache', 'volflow')
export const CACHE_BIN = join(CACHE_FOLDER, 'bin')
const POSTGRES_VERSIONS = '/usr/lib/postgresql'

/** Absolute path of a program, or undefined where this machine does not have it. */
export function locate(program: string): string | undefined {
  return searchPath()
    .map((folder) => join(folder, program))
    .find(isExecutable)
}

/** PATH, and then the places where Go, Debian's administration tools, its PostgreSQL and our own set-up put programs. */
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
    ...postgresFolders(),
  ].filter((folder, index, all) => folder !== '' && all.indexOf(folder) === index)
}

/** Newest version first. */
function postgresFolders(): string[] {
  try {
    const versions = readdirSync(POSTGRES_VERSIONS)
    return versions
      .toSorted((a, b) => Number(b) - Number(a))
      .map((version) => join(POSTGRES_VERSIONS, version, 'bin'))
  } catch {
    return []
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
