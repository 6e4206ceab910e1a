import { randomUUID } from 'node:crypto'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { metadataKey } from '../../../domain/cinder-names.ts'
import { verifyCinderBackup } from '../../../backup-format/cinder/verify.ts'
import type { VerifyRequest } from '../../../backup-format/verify-request.ts'
import { openCinderStore, storeFactoryUrl } from '../../../drivers/cinder/registry.ts'
import { KiB, MiB } from '../../../domain/sizes.ts'
import { startCinder } from '../../support/cinder/cinder-service.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type Link, locate, makeVolume, read, writeChain } from './fixtures.ts'

const REQUEST: VerifyRequest = {
  level: 'content',
  samplePercent: 100,
  seed: 'seed',
  resumeFromBytes: 0,
  signal: new AbortController().signal,
  pace: async () => {},
  onProgress: () => {},
  onCheckpoint: async () => {},
}

/** Written by Cinder once; each test damages a copy. */
const original = await tempDir()
let chain: Link[]
let image: string

beforeAll(async () => {
  await using cinder = await startCinder({ driver: 'posix', path: original })
  image = await makeVolume()
  chain = await writeChain(cinder, await cinder.createVolume('root'), image)
})

async function makeChain() {
  const folder = await tempDir()
  await cp(original, folder, { recursive: true })
  const path = join(await tempDir(), 'volume')
  await cp(image, path)
  const store = openCinderStore({ driver: 'directory', path: folder })
  const at = (index: number): Link => chain.at(index) ?? { backupId: '', content: Buffer.of() }
  const verify = async (index: number, more: Partial<Parameters<typeof verifyCinderBackup>[1]> = {}) =>
    verifyCinderBackup(store, { ...REQUEST, location: await locate(store, at(index).backupId), ...more })
  /** The object of a link, in the order of its list. */
  const object = async (index: number, number: number) => {
    const { location, metadata } = await read(store, at(index).backupId)
    const found = metadata.objects[number]
    if (found === undefined) throw new Error('Expected such an object')
    return { ...found, file: join(folder, location.folder, found.name) }
  }
  const file = async (index: number, ending: string) => {
    const { folder: container, prefix } = await locate(store, at(index).backupId)
    return join(folder, container, `${prefix}${ending}`)
  }
  const objects = await Promise.all(chain.map(({ backupId }) => read(store, backupId)))
  const counts = objects.map(({ metadata }) => metadata.objects.length)
  return { folder, store, path, verify, object, file, counts }
}

async function flip(path: string): Promise<void> {
  const bytes = await readFile(path)
  const at = bytes.length >> 1
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  await writeFile(path, bytes)
}

const GOOD = { damagedChunks: 0, damagedPages: 0, healedChunks: 0, healedPages: 0, unknownObjects: 0 }

describe('a verification of a chain that Cinder wrote', () => {
  it('finds nothing wrong with any link, at any level, and looks at the objects of all links', async () => {
    const { verify, counts, path, folder } = await makeChain()
    const all = counts.reduce((sum, count) => sum + count, 0)
    for (const [index] of counts.entries()) {
      const checkedChunks = counts.slice(0, index + 1).reduce((sum, count) => sum + count, 0)
      expect(await verify(index)).toEqual({ ...GOOD, checkedChunks })
      expect(await verify(index, { level: 'presence' })).toEqual({ ...GOOD, checkedChunks })
    }
    const volume = { kind: 'file', path, sizeBytes: 5 * MiB } as const
    expect(await verify(3, { level: 'restore', volume })).toEqual({ ...GOOD, checkedChunks: all })
    const threads = { storeFactoryUrl, storeSpec: { driver: 'directory', path: folder } as const, count: 2 }
    expect(await verify(3, { threads })).toEqual({ ...GOOD, checkedChunks: all })
  })

  it('names each object that is damaged or missing, and its bytes', async () => {
    const { verify, object } = await makeChain()
    const [altered, missing] = [await object(0, 2), await object(1, 0)]
    await flip(altered.file)
    await rm(missing.file)
    expect(await verify(0)).toMatchObject({
      damagedChunks: 1,
      damage: `damaged: ${altered.name}, bytes ${altered.offset} to ${altered.offset + altered.length}`,
    })
    const lost = `missing: ${missing.name}, bytes ${missing.offset} to ${missing.offset + missing.length}`
    expect(await verify(3, { level: 'presence' })).toMatchObject({ damagedChunks: 1, damage: lost })
    const both = await verify(3)
    expect(both).toMatchObject({ damagedChunks: 2 })
    expect(both.damage).toContain(lost)
    expect(both.damage).toContain(altered.name)
  })

  it('names the blocks that have another hash than the backup says', async () => {
    const { verify, file, object } = await makeChain()
    const { name } = await object(0, 0)
    const hashes = await file(0, '_sha256file')
    const text = await readFile(hashes, 'utf8')
    await writeFile(hashes, text.replace(/"[0-9a-f]{64}"/, `"${'0'.repeat(64)}"`))
    expect(await verify(0)).toMatchObject({
      damagedChunks: 1,
      damage: `damaged: ${name}, bytes 0 to ${32 * KiB}`,
    })
  })

  it('tells where a volume to which it was restored has other bytes', async () => {
    const { verify, path } = await makeChain()
    await flip(path)
    const volume = { kind: 'file', path, sizeBytes: 5 * MiB } as const
    const found = await verify(3, { level: 'restore', volume })
    expect(found).toMatchObject({ damagedChunks: 1, damage: expect.stringMatching(/^different: /) as string })
  })

  it('fails with the name of what is missing when the chain cannot be resolved, or its hashes cannot be read', async () => {
    const { verify, store, folder, file } = await makeChain()
    const hashes = await file(3, '_sha256file')
    await writeFile(hashes, (await readFile(hashes)).subarray(0, 1000))
    await expect(verify(3)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('_sha256file') as string,
    })
    const gone = chain[1]?.backupId ?? ''
    await rm(join(folder, metadataKey(await locate(store, gone))))
    await expect(verify(2)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining(gone) as string,
    })
  })

  it('counts objects that nobody names, for which Cinder refuses the backup', async () => {
    const { verify, file } = await makeChain()
    await writeFile(await file(1, '-00099'), randomUUID())
    expect(await verify(3)).toMatchObject({ damagedChunks: 0, unknownObjects: 1 })
    expect(await verify(0)).toMatchObject({ unknownObjects: 0 })
  })

  it('goes on after what an earlier attempt found good, and looks at the same sample again', async () => {
    const { verify, object } = await makeChain()
    const options = { samplePercent: 60 }
    const whole = await verify(3, options)
    const fetched: number[] = []
    const pace = async (bytes: number) => void fetched.push(bytes)
    const first = await object(0, 0)
    expect(await verify(3, { ...options, pace, resumeFromBytes: first.length })).toEqual(whole)
    expect(fetched.length).toBeLessThan(whole.checkedChunks)
  })
})
