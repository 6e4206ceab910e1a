import type { Component } from './component.ts'
import { downloadArchive, goPlatform } from './download.ts'
import { goInstall, goRemedy } from './go.ts'
import { locate } from './locate.ts'
import { publishProgram, withStagingFolder } from './staging.ts'

/** The newest version that `go install` can build (later ones have a replace directive). */
const VERSION = 'v1.5.1'
const PACKAGE = `github.com/temporalio/cli/cmd/temporal@${VERSION}`

/** The Temporal server with its Web UI, in one program. */
export const temporal: Component = {
  title: 'the Temporal server',
  remedy: goRemedy(PACKAGE),
  isPresent: () => locate('temporal') !== undefined,
  install: async () => {
    // The download takes seconds, the build minutes.
    await download().catch(() => goInstall(PACKAGE, 'temporal'))
  },
}

async function download(): Promise<void> {
  const query = new URLSearchParams(goPlatform())
  await withStagingFolder(async (folder) => {
    await downloadArchive(`https://temporal.download/cli/archive/${VERSION}?${query.toString()}`, folder)
    await publishProgram(folder, 'temporal')
  })
}
