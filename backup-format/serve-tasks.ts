import { parentPort } from 'node:worker_threads'
import { createGarbageCollector } from './collect-garbage.ts'
import { DriverError } from '../domain/errors.ts'
import type { FromThread, ToThread } from './executor.ts'

export interface TaskHandler<Task, Result> {
  handle(task: Task, signal: AbortSignal): Promise<Result>
  close(): Promise<void>
}

/**
 * The thread's side of `threadExecutor`: works on tasks until told to stop, then gives up what is in work and closes. When `open`
 * fails, every task fails with its error.
 */
export function serveTasks<Task, Result>(open: () => Promise<TaskHandler<Task, Result>>): void {
  const port = parentPort
  if (port === null) throw new Error('Expected to run in a worker thread')
  const stop = new AbortController()
  const inWork = new Set<Promise<void>>()
  const opened = open()
  const collectGarbage = createGarbageCollector()
  // Reported with the first task.
  opened.catch(() => undefined)

  const work = async (ticket: number, task: Task): Promise<void> => {
    const answer = await opened
      .then((handler) => handler.handle(task, stop.signal))
      .then(
        (result): FromThread<Result> => ({ ticket, result }),
        (error: unknown): FromThread<Result> => ({ ticket, error: asPlain(error) }),
      )
    port.postMessage(answer)
    collectGarbage()
  }

  const finish = async (): Promise<void> => {
    stop.abort()
    await Promise.allSettled(inWork)
    await opened.then(
      (handler) => handler.close(),
      () => undefined,
    )
  }

  port.on('message', (message: ToThread<Task>) => {
    if (message.type === 'stop') {
      void finish().finally(() => port.close())
      return
    }
    const running = work(message.ticket, message.task)
    inWork.add(running)
    void running.finally(() => inWork.delete(running))
  })
}

function asPlain(error: unknown): { kind: DriverError['kind'] | undefined; message: string } {
  if (error instanceof DriverError) return { kind: error.kind, message: error.message }
  return { kind: undefined, message: error instanceof Error ? error.message : String(error) }
}
