/** Raw files that others put into `unmanaged/` become volumes, and volumes become such files: a second name, and the first one goes. */
import { link, lstat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DriverError } from '../../../domain/errors.ts'
import { checkSize } from '../sizes.ts'
import { needChain, needClosed, needNoWriter } from './checks.ts'
import { ifPresent, syncPath } from './durable.ts'
import { type Layout, volumeDirectory } from './layout.ts'
import { currentDirectory, removeWithNext } from './replace.ts'
import { makeDirectory } from './scratch.ts'

export async function manageVolume(
  layout: Layout,
  { volumeId, sourceName }: { volumeId: string; sourceName: string },
): Promise<{ sizeBytes: number }> {
  const directory = volumeDirectory(layout, volumeId)
  const source = join(layout.unmanaged, checkedName(sourceName))
  await makeDirectory(layout.scratch, directory, async (attempt) => {
    await checkFile(source)
    await link(source, join(attempt, '0.raw'))
  })
  const { top, sizeBytes } = await needChain(directory, 'volume')
  if (await isSameFile(source, top.path)) await ifPresent(unlink(source))
  await syncPath(layout.unmanaged)
  return { sizeBytes }
}

export async function unmanageVolume(layout: Layout, volumeId: string): Promise<{ sourceName: string }> {
  const directory = volumeDirectory(layout, volumeId)
  const sourceName = `${volumeId}.raw`
  const target = join(layout.unmanaged, sourceName)
  const current = await currentDirectory(directory)
  // Else all that may be left to do is to clear away what was the volume.
  if ((await ifPresent(lstat(current))) !== undefined) {
    const { layers, top } = await needClosed(current)
    const isGiven = await isSameFile(target, top.path)
    const { nlink } = await lstat(top.path)
    if (layers.length > 1 || nlink > (isGiven ? 2 : 1)) throw shared(directory)
    if (!isGiven) await link(top.path, target)
    await syncPath(dirname(target))
  }
  await removeWithNext(layout.scratch, directory)
  return { sourceName }
}

/** It becomes a part of a path. */
function checkedName(name: string): string {
  if (basename(name) === name && !name.startsWith('.') && !name.includes('\0')) return name
  throw new DriverError(
    'invalid',
    `Expected the name of a file in the backend's folder unmanaged/, without / and not beginning with a dot, got ${JSON.stringify(name)}`,
  )
}

async function checkFile(source: string): Promise<void> {
  const stats = await ifPresent(lstat(source))
  const name = basename(source)
  if (stats === undefined)
    throw new DriverError(
      'notFound',
      `Expected file ${name} in the backend's folder unmanaged/, there is none`,
    )
  if (!stats.isFile() || stats.nlink > 1)
    throw new DriverError('invalid', `Expected ${name} to be a file with one name, no link and no folder`)
  checkSize(stats.size)
  await needNoWriter(source, [source])
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = [await ifPresent(lstat(one)), await ifPresent(lstat(other))]
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev
}

function shared(directory: string): DriverError {
  return new DriverError(
    'unsupported',
    `Expected volume ${basename(directory)} to have all its bytes for itself, but they are in layers that snapshots, backups or clones made. ` +
      'Copy it to a new volume (volflow volume create --source VOLUME --flatten), and unmanage that',
  )
}
