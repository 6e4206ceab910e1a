/**
 * A volume's directory is replaced in one step: the new one is renamed to `<id>.next`, and from then on it is the volume. That the
 * old one goes and the new one gets the plain name is tidying, which a repeated call or a deletion finishes. Readers only look, so
 * that two of them cannot tidy each other's directory away.
 */
import { rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { exists, ifPresent, syncPath } from './durable.ts'
import { clearScratch, removeDirectory, withAttempt } from './scratch.ts'

const NEXT = '.next'

/** Where the volume's layers are. */
export async function currentDirectory(directory: string): Promise<string> {
  const next = `${directory}${NEXT}`
  return (await exists(next)) ? next : directory
}

/** The opposite: the volume's id of a name in volumes/. */
export function withoutNext(name: string): string {
  return name.endsWith(NEXT) ? name.slice(0, -NEXT.length) : name
}

/** For the volume's only user. `build` fills the new directory. */
export async function replaceDirectory(
  scratch: string,
  directory: string,
  build: (attempt: string) => Promise<void>,
): Promise<void> {
  await finishReplacement(scratch, directory)
  await clearScratch(scratch, directory)
  await withAttempt(scratch, directory, async (attempt) => {
    await build(attempt)
    await syncPath(attempt)
    await rename(attempt, `${directory}${NEXT}`)
  })
  await syncPath(dirname(directory))
  await finishReplacement(scratch, directory)
}

/** For the only user of both: `content` becomes the volume's directory. There is none: it did before. */
export async function replaceByDirectory(scratch: string, directory: string, content: string): Promise<void> {
  await finishReplacement(scratch, directory)
  await ifPresent(rename(content, `${directory}${NEXT}`))
  await syncPath(dirname(directory))
  await finishReplacement(scratch, directory)
}

/** Removes whatever there is of the volume: the old directory first, so that it never comes back. */
export async function removeWithNext(scratch: string, directory: string): Promise<void> {
  await removeDirectory(scratch, directory)
  await removeDirectory(scratch, `${directory}${NEXT}`)
}

async function finishReplacement(scratch: string, directory: string): Promise<void> {
  const next = `${directory}${NEXT}`
  if (!(await exists(next))) return
  await removeDirectory(scratch, directory)
  await rename(next, directory)
  await syncPath(dirname(directory))
}
