/** What Temporal remembers: one run per operation, none still running, and no secret. */
import { Client, Connection } from '@temporalio/client'
import type { CheckedInstallation } from './installation.ts'
import type { Row } from './database.ts'
import { type Needle, needlesIn } from './secrets.ts'

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
    for await (const { workflowId, runId, status, raw } of client.workflow.list()) {
      const recovers = /^recover\/(.*)$/.exec(workflowId)?.[1]
      if (status.name === 'RUNNING') violations.push(`temporal: workflow ${workflowId} is still running`)
      if (recovers === undefined && status.name !== 'CONTINUED_AS_NEW') {
        runs.set(workflowId, (runs.get(workflowId) ?? 0) + 1)
        if (!known.has(workflowId)) violations.push(`temporal: workflow ${workflowId} has no operation`)
      }
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory()
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
