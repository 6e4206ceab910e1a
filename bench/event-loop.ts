import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const PROBE = fileURLToPath(new URL('./event-loop-probe.mjs', import.meta.url))
const POLL_MS = 5
const ANSWER_MS = 10_000

export interface EventLoopWatch {
  /** For the processes to watch. */
  readonly env: Readonly<Record<string, string>>
  /** 99th percentile of the delay of the process's main thread since the last call, in milliseconds. */
  read(pid: number): Promise<number>
}

export function watchEventLoop(folder: string): EventLoopWatch {
  const file = join(folder, 'event-loop')
  return {
    env: { NODE_OPTIONS: `--import=${PROBE}`, VOLFLOW_BENCH_LOOP_FILE: file },
    read: async (pid) => {
      const answer = `${file}.${pid}`
      await rm(answer, { force: true })
      process.kill(pid, 'SIGUSR2')
      for (const deadlineMs = Date.now() + ANSWER_MS; Date.now() < deadlineMs; await sleep(POLL_MS)) {
        const text = await readFile(answer, 'utf8').catch(() => undefined)
        if (text !== undefined) return Number(text)
      }
      throw new Error(`Expected process ${pid} to say how its event loop does, it does not`)
    },
  }
}
