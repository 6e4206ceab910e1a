import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errorCode, ifPresent } from './durable.ts'

/** Every directory below `places`, finished or not, that has this very file. It has the same name in each. */
export async function holdersOf(
  places: readonly string[],
  path: string,
  name = basename(path),
): Promise<string[]> {
  const { ino, nlink } = await stat(path)
  const holders: string[] = []
  for (const place of places) {
    for (const entry of await readdir(place)) {
      if (holders.length === nlink) return holders
      const found = await statInDirectory(join(place, entry, name))
      if (found?.ino === ino) holders.push(join(place, entry))
    }
  }
  return holders
}

async function statInDirectory(path: string): Promise<{ ino: number } | undefined> {
  return ifPresent(stat(path)).catch((error: unknown) => {
    // A probe in scratch/ is a file.
    if (errorCode(error) === 'ENOTDIR') return undefined
    throw error
  })
}
