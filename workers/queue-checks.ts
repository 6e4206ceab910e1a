import type { Client } from '@temporalio/client'
import { servedAtMs } from '../client/pollers.ts'

export interface Readiness {
  readonly ready: boolean
  readonly checks: Record<string, string>
}

/** Whether somebody serves each queue: a queue without a worker would wait in silence. */
export async function queueChecks(client: Client, queues: readonly string[]): Promise<Readiness> {
  const checks: Record<string, string> = {}
  await Promise.all(
    queues.map(async (queue) => {
      checks[queue] = await served(client, queue).catch((error: Error) => error.message)
    }),
  )
  return { ready: Object.values(checks).every((state) => state === 'ok'), checks }
}

async function served(client: Client, queue: string): Promise<string> {
  return (await servedAtMs(client, queue)) > 0 ? 'ok' : 'no worker serves this queue'
}
