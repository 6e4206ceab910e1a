/** Temporal's schedules: those of the database, as many and paused alike. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import type { CheckedInstallation } from './installation.ts'
import type { Row } from './database.ts'

/** A deletion is noticed when the two are compared the next time, and the list of schedules learns of it later still. */
const SETTLING_MS = 25_000

export async function checkSchedules(
  temporal: NonNullable<CheckedInstallation['temporal']>,
  schedules: readonly Row[],
): Promise<string[]> {
  const connection = await Connection.connect({ address: temporal.address })
  try {
    const client = new Client({ connection, namespace: temporal.namespace })
    const deadlineMs = Date.now() + SETTLING_MS
    for (;;) {
      const violations = await differences(client, schedules)
      if (violations.length === 0 || Date.now() > deadlineMs) return violations
      await sleep(250)
    }
  } finally {
    await connection.close()
  }
}

async function differences(client: Client, schedules: readonly Row[]): Promise<string[]> {
  const wanted = new Map(schedules.map(({ id, paused }) => [`scheduled-backup/${id}`, paused === 1]))
  const violations: string[] = []
  for await (const { scheduleId, state } of client.schedule.list()) {
    const paused = wanted.get(scheduleId)
    wanted.delete(scheduleId)
    if (paused === undefined) violations.push(`temporal: schedule ${scheduleId} is not in the database`)
    else if (paused !== state.paused) {
      violations.push(`temporal: schedule ${scheduleId} is ${paused ? 'not ' : ''}paused, unlike its row`)
    }
  }
  return [...violations, ...[...wanted.keys()].map((id) => `temporal: schedule ${id} is missing`)]
}
