import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { threadExecutor } from '../../../backup-format/executor.ts'
import { LIMITS } from '../../../domain/limits.ts'
import type { SampleTask } from './sample-job.ts'

const MODULE = '../test/backup-format/threads/sample-job'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'volflow-executor-'))
})

afterEach(() => rm(folder, { recursive: true }))

test('threads are taken as there is work for them, and no more than were asked for', async () => {
  const log = join(folder, 'log')
  const executor = threadExecutor<SampleTask, number>(MODULE, { log }, LIMITS.backupThreads)
  expect(executor.capacity).toBe(LIMITS.backupThreads * LIMITS.chunksPerThread)
  const first = await executor.run('thread')
  expect(await executor.run('thread')).toBe(first)
  const together = await Promise.all(
    Array.from({ length: 2 * executor.capacity }, () => executor.run('thread')),
  )
  expect(new Set(together).size).toBe(LIMITS.backupThreads)
  await executor.close()
  expect(await readFile(log, 'utf8')).toBe('closed\n'.repeat(LIMITS.backupThreads))
})

test('without work nothing is opened', async () => {
  const log = join(folder, 'log')
  await threadExecutor<SampleTask, number>(MODULE, { log }, LIMITS.backupThreads).close()
  await expect(readFile(log)).rejects.toThrow('ENOENT')
})

test('what is handed in after it was closed is refused, and opens nothing', async () => {
  const log = join(folder, 'log')
  const executor = threadExecutor<SampleTask, number>(MODULE, { log }, LIMITS.backupThreads)
  await executor.run('thread')
  await executor.close()
  await expect(executor.run('thread')).rejects.toMatchObject({ kind: 'transient' })
  expect(await readFile(log, 'utf8')).toBe('closed\n')
})
