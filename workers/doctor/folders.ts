/** Folders in which bytes are kept. Everything is tried in a folder of its own, which is gone afterwards. */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, mkdtemp, open, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../../block-io/process.ts'
import { LIMITS } from '../../domain/limits.ts'
import { formatBytes, MiB } from '../../domain/sizes.ts'
import { type Answer, type CheckResult, probe, warn } from './check.ts'

const FLUSHES = 5

/** `volumes`: also what only a backend needs. */
export async function* folderChecks(
  where: string,
  path: string,
  { volumes }: { volumes: boolean },
): AsyncGenerator<CheckResult> {
  const at = (check: string, next: string) => ({ where, check, next })
  const exists = await probe(at('folder', `Make ${path}, or mount what belongs there.`), async () => {
    if ((await stat(path)).isDirectory()) return path
    throw new Error(`Expected ${path} to be a folder, it is something else`)
  })
  yield exists
  if (exists.state === 'fail') return
  yield await probe(at('free space', 'Make room, or move it to a larger disk.'), () => freeSpace(path))
  let folder = ''
  const writable = await probe(at('writable', `Let the user of volflow write to ${path}.`), async () => {
    folder = await mkdtemp(join(path, '.doctor-'))
    return 'yes'
  })
  yield writable
  if (writable.state === 'fail') return
  try {
    yield await probe(at('flush', 'Nothing is safe on this disk: look for its errors in dmesg.'), () =>
      flush(folder),
    )
    yield await probe(at('hard links', 'Choose a file system with hard links, such as ext4 or XFS.'), () =>
      hardLinks(folder),
    )
    if (!volumes) return
    const sparse = 'Choose a file system with sparse files, such as ext4 or XFS.'
    yield await probe(at('sparse files', sparse), () => sparseFiles(folder))
    yield await probe(at('reflink', ''), () => reflink(folder))
    yield await probe(at('direct io', ''), () => directIo(folder))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function freeSpace(path: string): Promise<Answer> {
  const { blocks, bavail, bsize } = await statfs(path)
  const value = `${formatBytes(bavail * bsize)} of ${formatBytes(blocks * bsize)}`
  if (bavail * bsize < LIMITS.freeSpaceMinBytes) throw new Error(`Expected room for a segment, got ${value}`)
  return bavail * bsize < LIMITS.freeSpaceWarnBytes ? warn(value) : value
}

async function flush(folder: string): Promise<Answer> {
  await using file = await open(join(folder, 'flush'), 'w')
  const times: number[] = []
  for (let index = 0; index < FLUSHES; index += 1) {
    const startedMs = performance.now()
    await file.write(randomBytes(4096), 0, 4096, index * 4096)
    await file.sync()
    times.push(performance.now() - startedMs)
  }
  const medianMs = times.toSorted((a, b) => a - b)[Math.floor(FLUSHES / 2)] ?? 0
  const value = `${medianMs.toFixed(1)} ms`
  return medianMs > LIMITS.flushWarnMs ? warn(value) : value
}

async function hardLinks(folder: string): Promise<string> {
  await writeFile(join(folder, 'one'), 'x')
  await link(join(folder, 'one'), join(folder, 'two'))
  const { nlink } = await stat(join(folder, 'one'))
  if (nlink === 2) return 'yes'
  throw new Error(`Expected a linked file to have 2 names, got ${nlink}`)
}

/** A hole costs nothing, and punching one gives room back. */
async function sparseFiles(folder: string): Promise<string> {
  const path = join(folder, 'sparse')
  await using file = await open(path, 'w')
  await file.truncate(64 * MiB)
  await file.write(randomBytes(MiB), 0, MiB, 0)
  await file.sync()
  const writtenBytes = (await file.stat()).blocks * 512
  if (writtenBytes > 2 * MiB)
    throw new Error(`Expected 1 MiB in 64 MiB to take 1 MiB, it takes ${formatBytes(writtenBytes)}`)
  await runProcess('fallocate', ['--punch-hole', '--offset', '0', '--length', String(MiB), path])
  const punchedBytes = (await file.stat()).blocks * 512
  if (punchedBytes < writtenBytes) return 'holes, also punched ones'
  throw new Error('Expected a punched hole to give its room back, it does not')
}

async function reflink(folder: string): Promise<string> {
  await writeFile(join(folder, 'source'), Buffer.alloc(4096, 1))
  const copied = copyFile(join(folder, 'source'), join(folder, 'clone'), constants.COPYFILE_FICLONE_FORCE)
  return copied.then(
    () => 'yes: snapshots and clones are reflinks',
    () => 'no: snapshots and clones are qcow2 layers',
  )
}

async function directIo(folder: string): Promise<string> {
  const flags = constants.O_CREAT | constants.O_RDWR | (constants.O_DIRECT ?? 0)
  const opened = open(join(folder, 'direct'), flags).then((file) => file.close())
  return opened.then(
    () => 'yes',
    () => 'no; nothing needs it',
  )
}
