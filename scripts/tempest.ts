/**
 * `npm run tempest [-- WORDS…]`: OpenStack's own tests of the Block Storage and the Image API, those that need no machines and no
 * networks, against a `volflow up` of their own. With words: the tests whose names contain one of them. docs/tempest.md has what fails and why.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXIT } from '../cli/exit-codes.ts'
import { untilInterrupted } from '../cli/interrupt.ts'
import { startInstallation } from './demo/installation.ts'
import { qemu } from './setup/qemu.ts'
import { setUp } from './setup/set-up.ts'
import { tempest } from './setup/tempest.ts'
import { temporal } from './setup/temporal.ts'
import { BACKENDS, prepareCloud } from './tempest/cloud.ts'
import { describeRun, isAsKnown } from './tempest/report.ts'
import { runTests } from './tempest/run.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(words: readonly string[]): Promise<number> {
  await setUp([qemu, temporal, tempest])
  const results = await untilInterrupted((signal) => runOn(words, signal))
  if (results === 'interrupted') return EXIT.interrupted
  console.log(describeRun(results))
  return isAsKnown(results) ? EXIT.ok : EXIT.failed
}

async function runOn(words: readonly string[], signal: AbortSignal) {
  await using cleanUp = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'volflow-tempest-'))
  cleanUp.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const targets = { backups: { driver: 'directory', path: join(folder, 'target') } } as const
  // Everything else as it comes: with our own Keystone, and Cinder's quotas.
  const config = { identity: {}, quotas: {}, backends: BACKENDS }
  const installation = await startInstallation(join(folder, 'data'), targets, signal, { config })
  cleanUp.defer(() => installation.stop())
  const tempestFolder = await prepareCloud(installation, folder)
  return await runTests(tempestFolder, words, signal)
}
