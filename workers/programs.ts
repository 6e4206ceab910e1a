import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Path of a program on PATH, in Go's folder, or where `npm run setup` puts it. Throws with the command that installs it. */
export async function findProgram(name: string): Promise<string> {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    join(process.env.GOPATH ?? join(homedir(), 'go'), 'bin'),
    join(homedir(), '.cache/volflow/bin'),
  ]
  for (const folder of folders) {
    const path = join(folder, name)
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  throw new Error(`Expected the program "${name}" on PATH, found none. Run: npm run setup`)
}
