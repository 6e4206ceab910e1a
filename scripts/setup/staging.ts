import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runInstaller } from './command.ts'
import { CACHE_BIN, CACHE_FOLDER } from './locate.ts'

/** Gives a fresh folder on the cache's own file system, so that what was made in it can be renamed into place; removes the rest. */
export async function withStagingFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  await mkdir(CACHE_FOLDER, { recursive: true })
  const folder = await mkdtemp(join(CACHE_FOLDER, 'staging-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Puts a program that was shown to start into the cache, atomically. */
export async function publishProgram(folder: string, program: string): Promise<void> {
  await runInstaller(join(folder, program), ['--version'])
  await mkdir(CACHE_BIN, { recursive: true })
  await rename(join(folder, program), join(CACHE_BIN, program))
}
