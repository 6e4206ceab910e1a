/**
 * Directories appear and disappear in one step: they are built in scratch/ and renamed into place, and renamed into scratch/ before
 * they are taken apart. Each attempt has its own name `<target>~<random>`, so that an attempt that was thought dead cannot spoil its
 * successor's; every attempt first removes what earlier ones of the same target left.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errorCode, exists, ifPresent, syncPath } from './durable.ts'

/** Makes `target` with what `build` puts into it, unless it is there already. */
export async function makeDirectory(
  scratch: string,
  target: string,
  build: (directory: string) => Promise<void>,
): Promise<void> {
  await clearScratch(scratch, target)
  if (!(await exists(target))) {
    await withAttempt(scratch, target, async (directory) => {
      await build(directory)
      await syncPath(directory)
      await renameUnlessTaken(directory, target)
    })
  }
  // Also when it was there: the attempt that made it may have died before this.
  await syncPath(dirname(target))
}

export async function removeDirectory(scratch: string, target: string): Promise<void> {
  await ifPresent(rename(target, attemptPath(scratch, target)))
  await syncPath(dirname(target))
  await clearScratch(scratch, target)
}

/** Gives `work` an empty directory that is gone afterwards, unless `work` renamed it. */
export async function withAttempt(
  scratch: string,
  target: string,
  work: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = attemptPath(scratch, target)
  await mkdir(directory)
  try {
    await work(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

export async function clearScratch(scratch: string, target: string): Promise<void> {
  const prefix = `${basename(target)}~`
  for (const name of await readdir(scratch)) {
    if (name.startsWith(prefix)) await rm(join(scratch, name), { recursive: true, force: true })
  }
}

/**
 * What earlier attempts of `target` left, under new names: should one of them go on, it finds its directory gone. The caller uses or
 * removes them.
 */
export async function adoptAttempts(scratch: string, target: string): Promise<string[]> {
  const prefix = `${basename(target)}~`
  const adopted: string[] = []
  for (const name of await readdir(scratch)) {
    if (!name.startsWith(prefix)) continue
    const path = attemptPath(scratch, target)
    await rename(join(scratch, name), path)
    adopted.push(path)
  }
  return adopted
}

/** Puts what an attempt made in its place, durably. */
export async function publishAttempt(attempt: string, target: string): Promise<void> {
  await syncPath(attempt)
  await renameUnlessTaken(attempt, target)
  await syncPath(dirname(target))
}

export function attemptPath(scratch: string, target: string): string {
  return join(scratch, `${basename(target)}~${randomBytes(6).toString('hex')}`)
}

/** A directory with something in it is never replaced by rename(2): of two attempts one wins, and both made the same thing. */
async function renameUnlessTaken(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error
  }
}
