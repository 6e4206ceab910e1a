import { rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runInstaller } from './command.ts'
import { downloadArchive, goPlatform } from './download.ts'
import { CACHE_BIN, CACHE_FOLDER, locate } from './locate.ts'
import { publishProgram, withStagingFolder } from './staging.ts'

/** For machines that have no Go; any Go from 1.21 on fetches the version that a module asks for. */
const GO_VERSION = '1.26.8'

/** Builds one program of a Go module at a pinned version into the cache, where it is called `program`. */
export async function goInstall(packageAtVersion: string, program: string): Promise<void> {
  const go = locate('go') ?? (await downloadGo())
  await withStagingFolder(async (folder) => {
    await runInstaller(go, ['install', packageAtVersion], { GOBIN: folder })
    // Go names it after the last folder of its package.
    await rename(join(folder, basename(packageAtVersion.split('@')[0] ?? '')), join(folder, program))
    await publishProgram(folder, program)
  })
}

/** Builds the program of a module of ours, in `folder`, as its go.sum says, into the cache. */
export async function goBuild(folder: string, program: string): Promise<void> {
  const go = locate('go') ?? (await downloadGo())
  await withStagingFolder(async (staging) => {
    await runInstaller(go, ['-C', folder, 'build', '-mod=readonly', '-o', join(staging, program), '.'])
    await publishProgram(staging, program)
  })
}

export function goRemedy(packageAtVersion: string): string {
  return `GOBIN=${CACHE_BIN} go install ${packageAtVersion} (Go 1.26 is at https://go.dev/dl)`
}

async function downloadGo(): Promise<string> {
  const { platform, arch } = goPlatform()
  await withStagingFolder(async (folder) => {
    await downloadArchive(`https://go.dev/dl/go${GO_VERSION}.${platform}-${arch}.tar.gz`, folder)
    await rename(join(folder, 'go'), join(CACHE_FOLDER, 'go'))
  })
  return join(CACHE_FOLDER, 'go', 'bin', 'go')
}
