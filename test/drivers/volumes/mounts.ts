/** Small file systems of a certain kind. Mounting needs root and a kernel that lets us: elsewhere the answer is undefined. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { runProcess } from '../../../block-io/process.ts'
import { tempDir } from '../../support/temp-dir.ts'

/** A tmpfs of `sizeMiB`, unmounted after the file's tests. */
export async function mountTmpfs(sizeMiB: number): Promise<string | undefined> {
  const folder = await tempDir()
  return tryMount(folder, ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'none'])
}

/** An XFS, which can reflink, in a sparse file, unmounted after the file's tests. */
export async function mountXfs(): Promise<string | undefined> {
  const folder = await tempDir()
  const image = join(folder, 'xfs.img')
  try {
    await runProcess('truncate', ['-s', '400M', image])
    await runProcess('mkfs.xfs', ['-q', image])
  } catch (error) {
    return missing('mkfs.xfs (package xfsprogs)', error)
  }
  return tryMount(folder, ['-o', 'loop', image])
}

async function tryMount(folder: string, args: readonly string[]): Promise<string | undefined> {
  const path = join(folder, 'mounted')
  await mkdir(path)
  try {
    await runProcess('mount', [...args, path])
  } catch (error) {
    return missing('mount', error)
  }
  afterAll(async () => {
    await runProcess('umount', [path])
  })
  return path
}

/** On a developer's machine a missing component is skipped, and said so; in CI it is a failure. */
function missing(component: string, error: unknown): undefined {
  if (process.env['CI'] === 'true') throw error
  console.warn(
    `skipped, ${component} does not work here: ${error instanceof Error ? error.message : String(error)}`,
  )
}
