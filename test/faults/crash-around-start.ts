/**
 * Loaded into every process of an installation by NODE_OPTIONS=--import: kills the API with -9 before or after it starts a workflow,
 * once, when the file that VOLFLOW_TEST_CRASH names holds the word `before` or `after`.
 */
import { readFileSync, rmSync } from 'node:fs'

const orderFile = process.env.VOLFLOW_TEST_CRASH

if (orderFile !== undefined && process.argv[2] === 'api') {
  const { WorkflowClient } = await import('@temporalio/client')
  const start = Object.getOwnPropertyDescriptor(WorkflowClient.prototype, 'start')?.value as (
    ...args: unknown[]
  ) => Promise<unknown>
  const crashIf = (moment: 'before' | 'after') => {
    if (takeOrder(orderFile) !== moment) return
    rmSync(orderFile)
    process.kill(process.pid, 'SIGKILL')
  }
  Object.assign(WorkflowClient.prototype, {
    async start(this: unknown, ...args: unknown[]) {
      crashIf('before')
      const handle = await start.apply(this, args)
      crashIf('after')
      return handle
    },
  })
}

function takeOrder(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
