import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pickThread } from '../../../backup-format/threads/pool.ts'
import type { Thread, ThreadJob } from '../../../backup-format/threads/thread.ts'
import { LIMITS } from '../../../domain/limits.ts'
import type { SampleTask } from './sample-job.ts'

const MODULE_URL = new URL('./sample-job.ts', import.meta.url).href

let folder: string
let log: string
const jobs: ThreadJob[] = []
let last: Thread | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'volflow-threads-'))
  log = join(folder, 'log')
})

afterEach(async () => {
  await Promise.all(jobs.splice(0).map((job) => job.close()))
  await rm(folder, { recursive: true })
})

test('operations share threads, which outlive them', async () => {
  const first = await Promise.all(open(LIMITS.backupThreads).map((job) => run(job, 'thread')))
  expect(new Set(first).size).toBe(LIMITS.backupThreads)
  await Promise.all(jobs.splice(0).map((job) => job.close()))
  const second = await Promise.all(open(LIMITS.backupThreads).map((job) => run(job, 'thread')))
  expect(new Set(second)).toEqual(new Set(first))
})

test('there are never more of them than the limit says', async () => {
  const operations = Array.from({ length: LIMITS.threadsMax + 1 }, () => open(LIMITS.backupThreads)).flat()
  const used = await Promise.all(operations.map((job) => run(job, 'thread')))
  expect(new Set(used).size).toBeLessThanOrEqual(LIMITS.threadsMax)
})

test('closing gives up what is in work, closes what was opened, and leaves others alone', async () => {
  const [given] = open(1)
  const kept = openBeside()
  const waiting = run(given, 'wait')
  const refused = expect(waiting).rejects.toThrow('abort')
  await given?.close()
  await refused
  expect(await readFile(log, 'utf8')).toBe('closed\n')
  expect(await run(kept, 'thread')).toBeGreaterThan(0)
})

test('an error arrives with its kind, also that of opening, which closes what was open by then', async () => {
  const [job] = open(1)
  await expect(run(job, 'refuse')).rejects.toMatchObject({
    kind: 'corrupt',
    message: 'Expected better bytes',
  })
  const [failing] = open(1, true)
  await expect(run(failing, 'thread')).rejects.toMatchObject({ kind: 'notFound' })
  await failing?.close()
  expect(await readFile(log, 'utf8')).toBe('closed\n')
})

test.each<SampleTask>(['crash', 'ignore the end'])(
  'a thread that is lost (%s) fails all that was in work there for now, and is replaced',
  async (task) => {
    const [culprit] = open(1)
    const other = openBeside()
    const lost = [run(culprit, task), run(other, 'wait')]
    const failures = lost.map((work) => expect(work).rejects.toThrow())
    await culprit?.close()
    await Promise.all(failures)
    await expect(run(other, 'thread')).rejects.toThrow()
    const [next] = open(1)
    expect(await run(next, 'thread')).toBeGreaterThan(0)
  },
)

function open(count: number, failing = false): ThreadJob[] {
  const taken = new Set<Thread>()
  return Array.from({ length: count }, () => {
    const thread = pickThread(taken)
    taken.add(thread)
    return openOn(thread, failing)
  })
}

/** Another job on the thread of the one that was opened last. */
function openBeside(): ThreadJob {
  if (last === undefined) throw new Error('Expected a job')
  return openOn(last, false)
}

function openOn(thread: Thread, failing: boolean): ThreadJob {
  last = thread
  const job = thread.open(MODULE_URL, { log, failing })
  jobs.push(job)
  return job
}

async function run(job: ThreadJob | undefined, task: SampleTask): Promise<unknown> {
  return job?.run(task)
}
