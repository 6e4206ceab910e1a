/** The thread's side of a pool: opens jobs, works on their tasks until told to close them, and then closes what they had opened. */
import { parentPort } from 'node:worker_threads'
import { DriverError } from '../../domain/errors.ts'
import type { FromThread, OpenJob, PlainError, ToThread } from './messages.ts'

const jobs = new Map<number, ReturnType<typeof serve>>()

parentPort?.on('message', (message: ToThread) => {
  if (message.type === 'open') jobs.set(message.job, serve(message.moduleUrl, message.data))
  else if (message.type === 'run') jobs.get(message.job)?.run(message.ticket, message.task)
  else void close(message.job)
})

async function close(job: number): Promise<void> {
  await jobs.get(job)?.close()
  jobs.delete(job)
  answer({ type: 'closed', job })
}

/** When the job cannot be opened, each of its tasks fails with that error. */
function serve(moduleUrl: string, data: unknown) {
  const stop = new AbortController()
  const inWork = new Set<Promise<void>>()
  const kept: { close(): Promise<void> }[] = []
  const opened = open(moduleUrl, data, kept)
  opened.catch(() => undefined)

  const work = async (ticket: number, task: unknown): Promise<void> => {
    try {
      const handle = await opened
      answer({ type: 'done', ticket, result: await handle(task, stop.signal) })
    } catch (error) {
      answer({ type: 'failed', ticket, error: asPlain(error) })
    }
  }

  return {
    run: (ticket: number, task: unknown) => {
      const running = work(ticket, task)
      inWork.add(running)
      void running.finally(() => inWork.delete(running))
    },
    /** Gives up what is in work. */
    close: async () => {
      stop.abort()
      await Promise.allSettled([opened, ...inWork])
      await Promise.allSettled(kept.map((one) => one.close()))
    },
  }
}

async function open(moduleUrl: string, data: unknown, kept: { close(): Promise<void> }[]) {
  const module: { open: OpenJob<unknown, unknown, unknown> } = await import(moduleUrl)
  return module.open(data, (opened) => {
    kept.push(opened)
    return opened
  })
}

function answer(message: FromThread): void {
  parentPort?.postMessage(message)
}

function asPlain(error: unknown): PlainError {
  if (error instanceof DriverError) return { kind: error.kind, message: error.message }
  return { kind: undefined, message: error instanceof Error ? error.message : String(error) }
}
