/** What Temporal remembers: one run per operation, none still running, and no secret. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection, type WorkflowHandle } from '@temporalio/client'
import type { CheckedInstallation } from './installation.ts'
import type { Row } from './database.ts'
import { type Needle, needlesIn } from './secrets.ts'

/** A workflow closes a moment after it has written the end of its operation, and the list of workflows learns of it later still. */
const CLOSING_MS = 5_000

export async function checkHistories(
  temporal: NonNullable<CheckedInstallation['temporal']>,
  operations: readonly Row[],
  needles: readonly Needle[],
): Promise<string[]> {
  const connection = await Connection.connect({ address: temporal.address })
  try {
    const client = new Client({ connection, namespace: temporal.namespace })
    const known = new Set(operations.map(({ kind, id }) => `${kind}/${id}`))
    const runs = new Map<string, number>()
    const violations: string[] = []
    const deadlineMs = Date.now() + CLOSING_MS
    for await (const { workflowId, runId, status, raw } of client.workflow.list()) {
      const recovers = /^recover\/(.*)$/.exec(workflowId)?.[1]
      const handle = client.workflow.getHandle(workflowId, runId)
      if (status.name === 'RUNNING' && (await keepsRunning(handle, deadlineMs)))
        violations.push(`temporal: workflow ${workflowId} is still running`)
      // A run that did not start has no operation; the database has the outcome of each.
      const isPlannedRun = workflowId.startsWith('scheduled-backup/')
      if (recovers === undefined && !isPlannedRun && status.name !== 'CONTINUED_AS_NEW') {
        runs.set(workflowId, (runs.get(workflowId) ?? 0) + 1)
        if (!known.has(workflowId)) violations.push(`temporal: workflow ${workflowId} has no operation`)
      }
      const history = await handle.fetchHistory()
      for (const label of secretsWithin([history, raw], needles)) {
        violations.push(`secret: ${label} is in the history of workflow ${workflowId}`)
      }
    }
    for (const [id, count] of runs)
      if (count > 1) violations.push(`temporal: workflow ${id} ran ${count} times`)
    return violations
  } finally {
    await connection.close()
  }
}

async function keepsRunning(handle: WorkflowHandle, deadlineMs: number): Promise<boolean> {
  while ((await handle.describe()).status.name === 'RUNNING') {
    if (Date.now() > deadlineMs) return true
    await sleep(100)
  }
  return false
}

/** Walks any structure; payloads are byte arrays, the rest is text. */
export function secretsWithin(value: unknown, needles: readonly Needle[]): Set<string> {
  const found = new Set<string>()
  const seen = new Set<object>()
  const walk = (part: unknown): void => {
    if (typeof part === 'string') add(Buffer.from(part))
    else if (part instanceof Uint8Array) add(part)
    else if (typeof part === 'object' && part !== null && !seen.has(part)) {
      seen.add(part)
      for (const [key, inner] of Object.entries(part)) {
        add(Buffer.from(key))
        walk(inner)
      }
    }
  }
  const add = (bytes: Uint8Array) => {
    for (const label of needlesIn(needles, bytes)) found.add(label)
  }
  walk(value)
  return found
}
