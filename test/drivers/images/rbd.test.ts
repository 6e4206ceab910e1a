/** On a real cluster (Debian's packages), started by the test run. */
import { randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { beforeAll, describe, expect, test } from 'vitest'
import { MiB } from '../../../domain/sizes.ts'
import { openImageStore } from '../../../drivers/images/registry.ts'
import { HAS_CEPH, newRbdConfig, sharedCeph, TRIED_TWICE } from '../../support/ceph-cluster.ts'
import { describeImageStore } from './contract.ts'

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('RBD', TRIED_TWICE, () => {
  describeImageStore('the RBD store', async () => openImageStore(await newRbdConfig('images')))

  test('an upload whose program was killed leaves nothing, and nobody waits until the cluster has noticed', async () => {
    const config = await newRbdConfig('images')
    const store = await openImageStore(config)
    const imageId = randomUUID()
    const progress = {
      sizeMaxBytes: 64 * MiB,
      signal: new AbortController().signal,
      onBytes: () => undefined,
    }
    const source = new Readable({ read: () => undefined })
    source.push(Buffer.alloc(16 * MiB, 1))
    const upload = store.writeStage(imageId, source, progress)
    upload.catch(() => undefined)
    await expect.poll(async () => (await store.list()).stageIds, { timeout: 20_000 }).toEqual([imageId])
    process.kill(await importOf(config.ownConfFile), 'SIGKILL')
    source.push(Buffer.alloc(16 * MiB, 2))
    source.push(null)
    await expect(upload).rejects.toMatchObject({ kind: 'transient' })
    expect(await store.list()).toEqual({ imageIds: [], stageIds: [] })
    await store.writeStage(imageId, Readable.from([Buffer.alloc(MiB, 3)]), progress)
    await store.discardStage(imageId)
  }, 60_000)
})

/** The process that receives an upload. */
async function importOf(confFile: string): Promise<number> {
  for (const name of await readdir('/proc')) {
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (command.startsWith('rbd\0') && command.includes(confFile) && command.includes('\0import\0'))
      return Number(name)
  }
  throw new Error('Expected an rbd import')
}
