/**
 * scan-process.ts COMPILED JSON: one incremental backup of a volume of which nothing is known to be unchanged, as a data worker makes
 * it, with the compiled product. Prints one line of JSON: what it took, without the start of Node.
 */
import { randomUUID } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import type * as Commit from '../backup-format/commit.ts'
import type * as Repositories from '../backup-format/repository.ts'
import type * as Unlock from '../backup-format/unlock.ts'
import type * as Upload from '../backup-format/upload.ts'
import type { DeviceSpec } from '../block-io/device.ts'
import type * as Exports from '../block-io/export.ts'
import type * as Limits from '../domain/limits.ts'
import type * as Registry from '../drivers/backups/registry.ts'
import { endedChildrenCpuSeconds } from '../scripts/demo/processes.ts'
import type { ScanJob } from './scan.ts'

const [compiled = '', json = ''] = process.argv.slice(2)
const job: ScanJob = JSON.parse(json)
const load = (path: string) => import(new URL(path, pathToFileURL(`${compiled}/`)).href)

const { uploadBackup }: typeof Upload = await load('backup-format/upload.js')
const { commitBackup }: typeof Commit = await load('backup-format/commit.js')
const { createOrOpenRepository }: typeof Repositories = await load('backup-format/repository.js')
const { createKeyring }: typeof Unlock = await load('backup-format/unlock.js')
const { serveDevice }: typeof Exports = await load('block-io/export.js')
const { openTarget, targetFactoryUrl }: typeof Registry = await load('drivers/backups/registry.js')
const { LIMITS }: typeof Limits = await load('domain/limits.js')

const targetSpec = { driver: 'directory', path: job.repository } as const
const keyring = createKeyring(async () => [{ kind: 'key-file', key: Buffer.from(job.key, 'hex') }])
const repository = await createOrOpenRepository(openTarget(targetSpec), keyring)
const cpuBefore = await cpuSeconds()
const startedMs = performance.now()
const totals = await scan()
const seconds = (performance.now() - startedMs) / 1000
console.log(
  JSON.stringify({ seconds, cpuSeconds: (await cpuSeconds()) - cpuBefore, newChunks: totals.newChunks }),
)

async function scan() {
  const { sizeBytes, blockdev, plainFile } = job.device
  if (plainFile !== undefined) return backUp({ kind: 'file', path: plainFile, sizeBytes })
  const served = await serveDevice(
    { sizeBytes, blockdev },
    { socketDirectory: job.socketDirectory, confined: false },
  )
  try {
    return await backUp(served.spec)
  } finally {
    await served.close()
  }
}

async function backUp(source: DeviceSpec) {
  const { signal } = new AbortController()
  const key = { domain: 'bench', backupId: job.backupId ?? randomUUID(), signal }
  const { totals } = await uploadBackup(repository, {
    ...key,
    ...(job.parentBackupId !== undefined && { parentBackupId: job.parentBackupId }),
    sizeBytes: job.device.sizeBytes,
    volume: { id: 'bench' },
    writerToken: 1,
    source,
    threads: { count: LIMITS.backupThreads, targetFactoryUrl, targetSpec },
  })
  await commitBackup(repository, key)
  return totals
}

/** Ours, all threads, and that of the qemu that has ended. */
async function cpuSeconds(): Promise<number> {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6 + (await endedChildrenCpuSeconds(process.pid))
}
