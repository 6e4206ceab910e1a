import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CinderStore } from '../../../backup-format/cinder/store.ts'
import { openCinderStore, storeFactoryUrl } from '../../../drivers/cinder/registry.ts'
import { MiB } from '../../../domain/sizes.ts'
import { type CinderPlace, startCinder } from '../../support/cinder/cinder-service.ts'
import { startMinio, startVersityGw } from '../../support/s3-servers.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type Link, locate, makeVolume, restored, writeChain } from './fixtures.ts'
import type { TargetSpec } from '../../../backup-format/target.ts'

const BUCKET = 'volumebackups'

async function s3Place(start: typeof startMinio): Promise<{ place: CinderPlace; spec: TargetSpec }> {
  const server = await start(await tempDir())
  await server.createBucket(BUCKET)
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  return {
    place: { driver: 's3', server, bucket: BUCKET },
    spec: { driver: 's3', endpoint, region, accessKeyId, secretAccessKey, bucket: BUCKET, prefix: '' },
  }
}

async function folderPlace(): Promise<{ place: CinderPlace; spec: TargetSpec }> {
  const path = await tempDir()
  return { place: { driver: 'posix', path }, spec: { driver: 'directory', path } }
}

describe.each([
  ['a folder', folderPlace],
  ['VersityGW', () => s3Place(startVersityGw)],
  ['MinIO', () => s3Place(startMinio)],
])("a chain that Cinder's own driver wrote to %s", (_, open) => {
  let store: CinderStore
  let spec: TargetSpec
  let chain: Link[]

  beforeAll(async () => {
    const opened = await open()
    spec = opened.spec
    store = openCinderStore(spec)
    await using cinder = await startCinder(opened.place)
    chain = await writeChain(cinder, await cinder.createVolume('root'), await makeVolume())
  })

  it('restores to the bytes of each backup, zeroes that came back to nothing included', async () => {
    for (const { backupId, content } of chain) {
      expect((await restored(store, backupId)).equals(content)).toBe(true)
    }
  })

  it('restores over old bytes, and zeroes what is behind its end', async () => {
    for (const { backupId, content } of chain) {
      const bytes = await restored(store, backupId, { into: randomBytes(6 * MiB), sizeBytes: 6 * MiB })
      expect(bytes.subarray(0, content.length).equals(content)).toBe(true)
      expect(bytes.subarray(content.length).equals(Buffer.alloc(MiB))).toBe(true)
    }
  })

  it('restores on worker threads', async () => {
    const { backupId = '', content } = chain.at(-1) ?? {}
    const threads = { storeFactoryUrl, storeSpec: spec, count: 2 }
    expect((await restored(store, backupId, { threads })).equals(content ?? Buffer.of())).toBe(true)
  })

  it('is found where it is', async () => {
    for (const { backupId } of chain) expect(await locate(store, backupId)).toMatchObject({ backupId })
  })
})
