import { parentPort, workerData } from 'node:worker_threads'
import { createGarbageCollector } from './collect-garbage.ts'
import { DriverError } from '../domain/errors.ts'
import type { FromThread, ToThread } from './executor.ts'

export interface TaskHandler<Task, Result> {
  readonly handle: (task: Task, signal: AbortSignal) => Promise<Result>
  /** What the tasks work with. */
  readonly opened: readonly { close(): Promise<void> }[]
}

/**
 * The thread's side of `threadExecutor`: works on tasks until told to stop, then gives up what is in work and closes what was opened. `open`
 * gets the executor's data; when it fails, every task fails with its error.
 */
export function serveTasks<Data, Task, Result>(
  open: (data: Data) => Promise<TaskHandler<Task, Result>>,
): void {
  const port = parentPort
  if (port === null) throw new Error('Expected to run in a worker thread')
  const stop = new AbortController()
  const inWork = new Set<Promise<void>>()
  const opened = open(workerData as Data)
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
      (handler) => Promise.all(handler.opened.map((one) => one.close())),
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
