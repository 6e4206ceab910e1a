import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { inject, onTestFinished, TestRunner } from 'vitest'

/** A fresh folder. Made in a test, it is removed after that test; made in a hook or at load time, at the end of the run. */
export async function tempDir(): Promise<string> {
  const folder = await mkdtemp(join(inject('scratchFolder'), 't-'))
  if (TestRunner.getCurrentTest() !== undefined)
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}
