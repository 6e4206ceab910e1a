import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { commitBackup } from '../../backup-format/commit.ts'
import { readRecord } from '../../backup-format/record.ts'
import { createOrOpenRepository } from '../../backup-format/repository.ts'
import { restoreBackup } from '../../backup-format/restore.ts'
import type { TargetSpec } from '../../backup-format/target.ts'
import { uploadBackup } from '../../backup-format/upload.ts'
import { openTarget, targetFactoryUrl } from '../../drivers/backups/registry.ts'
import { tempDir } from '../support/temp-dir.ts'
import {
  backUp,
  DOMAIN,
  keysOf,
  makeImage,
  KEY,
  keyring,
  memoryRepository,
  restored,
  SHAPE,
  uploadRequest,
} from './fixtures.ts'

const PATTERN = 'rrtr.rrrtrr.rrrrrrtrrrrrr..rrrrrrr'
const DATA_CHUNKS = PATTERN.replaceAll('.', '').length

describe('an upload', () => {
  it('continues after an abort and repeats no more than it may', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage(PATTERN)
    const stop = new AbortController()
    const request = uploadRequest(image, { journalChunks: 8 })
    const aborted = uploadBackup(repository, {
      ...request,
      signal: stop.signal,
      onProgress: ({ chunksStored }) => chunksStored >= 20 && stop.abort(new Error('enough')),
    })
    await expect(aborted).rejects.toThrow('enough')
    const written = keysOf(target, '/c/').length
    const { totals, redoneChunks } = await uploadBackup(repository, { ...request, writerToken: 2 })
    expect(written).toBeLessThan(DATA_CHUNKS)
    expect(redoneChunks).toBeLessThanOrEqual(8)
    expect(totals.dataChunks).toBe(DATA_CHUNKS)
    await commitBackup(repository, request)
    expect((await restored(repository, request.backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
    expect(keysOf(target, '/j/')).toEqual([])
  })

  it('tells whenever more of it would survive a crash', async () => {
    const { repository, target } = await memoryRepository()
    const told: number[] = []
    const onCheckpoint = async () => void told.push(keysOf(target, '/j/').length)
    await uploadBackup(
      repository,
      uploadRequest(await makeImage(PATTERN), { journalChunks: 8, onCheckpoint }),
    )
    expect(told.length).toBeGreaterThan(1)
    expect(told).toEqual(told.map((_, index) => index + 1))
  })

  it('leaves a finished upload alone when it is repeated', async () => {
    const { repository, target } = await memoryRepository()
    const request = uploadRequest(await makeImage(PATTERN))
    const first = await uploadBackup(repository, request)
    const objects = keysOf(target, '/c/').length
    const again = await uploadBackup(repository, { ...request, writerToken: 2 })
    expect(again).toEqual({ totals: first.totals, redoneChunks: 0, healedObjects: 0 })
    expect(keysOf(target, '/c/')).toHaveLength(objects)
    await commitBackup(repository, request)
  })

  it('cannot be continued by an older attempt, and an overtaken one cannot finish', async () => {
    const { repository } = await memoryRepository()
    const image = await makeImage(PATTERN)
    const request = uploadRequest(image)
    let overtaken: Promise<unknown> | undefined
    const first = uploadBackup(repository, {
      ...request,
      onProgress: () => {
        overtaken ??= uploadBackup(repository, { ...request, writerToken: 2 })
      },
    })
    await expect(first).rejects.toMatchObject({ kind: 'busy' })
    await overtaken
    await expect(uploadBackup(repository, request)).rejects.toMatchObject({ kind: 'busy' })
    expect((await readRecord(repository, DOMAIN, request.backupId))?.value.writerToken).toBe(2)
    await commitBackup(repository, request)
    expect((await restored(repository, request.backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
  })

  it('stops its threads within a second of an abort, and nothing is written afterwards', async () => {
    const { repository, targetSpec, folder } = await directoryRepository()
    const image = await makeImage('rrrrrrrrrrrrrrrrrrrrrrrr', repository.chunkBytes)
    const stop = new AbortController()
    let abortedAtMs = 0
    const upload = uploadBackup(
      repository,
      uploadRequest(image, {
        signal: stop.signal,
        threads: { targetFactoryUrl, targetSpec, count: 2 },
        onProgress: ({ chunksStored }) => {
          if (chunksStored < 2 || abortedAtMs > 0) return
          abortedAtMs = performance.now()
          stop.abort(new Error('enough'))
        },
      }),
    )
    await expect(upload).rejects.toThrow('enough')
    expect(performance.now() - abortedAtMs).toBeLessThan(1000)
    const files = await filesBelow(folder)
    await sleep(300)
    expect(await filesBelow(folder)).toEqual(files)
    expect(await readdir(join(folder, '.tmp'))).toEqual([])
  })

  it('continues after its process was killed, and repeats no more than it may', async () => {
    const { repository, targetSpec, folder } = await directoryRepository()
    const image = await makeImage('r'.repeat(40), repository.chunkBytes)
    const request = uploadRequest(image, { journalChunks: 12 })
    const { signal: _, ...plain } = request
    const child = spawn(
      process.execPath,
      [
        join(import.meta.dirname, 'upload-child.ts'),
        JSON.stringify({ targetSpec, key: KEY.toString('hex'), request: plain }),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    for await (const line of createInterface(child.stdout)) if (Number(line) >= 20) break
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { redoneChunks } = await uploadBackup(repository, {
      ...request,
      writerToken: 2,
      threads: { targetFactoryUrl, targetSpec, count: 2 },
    })
    expect(redoneChunks).toBeLessThanOrEqual(12)
    await commitBackup(repository, request)
    expect((await restored(repository, request.backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
    expect(await readdir(join(folder, '.tmp'))).toEqual([])
  })
})

describe('a restore', () => {
  it('makes the rest of a larger volume zero, and refuses a smaller one', async () => {
    const { repository } = await memoryRepository()
    const image = await makeImage('r.tr')
    const { backupId } = await backUp(repository, image)
    const path = join(await tempDir(), 'volume')
    const sizeBytes = image.bytes.length + 3 * SHAPE.chunkBytes
    await writeFile(path, Buffer.alloc(sizeBytes, 0xee))
    const request = { domain: DOMAIN, backupId, freshTarget: false, signal: new AbortController().signal }
    await restoreBackup(repository, { ...request, destination: { kind: 'file', path, sizeBytes } })
    const expected = Buffer.concat([image.bytes, Buffer.alloc(3 * SHAPE.chunkBytes)])
    expect((await readFile(path)).equals(expected)).toBe(true)
    await expect(
      restoreBackup(repository, {
        ...request,
        destination: { kind: 'file', path, sizeBytes: image.bytes.length - 1 },
      }),
    ).rejects.toMatchObject({ kind: 'invalid' })
  })

  it('continues from a checkpoint without writing what comes before it', async () => {
    const { repository } = await memoryRepository()
    const image = await makeImage('rrrrrrrrrrrrrr')
    const { backupId } = await backUp(repository, image)
    const path = join(await tempDir(), 'volume')
    await writeFile(path, Buffer.alloc(image.bytes.length, 0xee))
    const checkpoints: number[] = []
    await restoreBackup(repository, {
      domain: DOMAIN,
      backupId,
      destination: { kind: 'file', path, sizeBytes: image.bytes.length },
      freshTarget: false,
      resumeFromChunk: 10,
      signal: new AbortController().signal,
      onCheckpoint: ({ chunk }) => void checkpoints.push(chunk),
    })
    const bytes = await readFile(path)
    expect(bytes.subarray(10 * SHAPE.chunkBytes).equals(image.bytes.subarray(10 * SHAPE.chunkBytes))).toBe(
      true,
    )
    expect(bytes.subarray(0, 10 * SHAPE.chunkBytes).every((byte) => byte === 0xee)).toBe(true)
    expect(checkpoints).toEqual([14])
  })
})

async function directoryRepository() {
  const folder = join(await tempDir(), 'target')
  await mkdir(folder)
  const targetSpec: TargetSpec = { driver: 'directory', path: folder }
  const repository = await createOrOpenRepository(openTarget(targetSpec), keyring(), {
    chunkBytes: 1024 * 1024,
    pageEntries: 16,
  })
  return { repository, targetSpec, folder }
}

async function filesBelow(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).toSorted()
}
