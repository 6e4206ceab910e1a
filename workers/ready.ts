import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/config.ts'
import { LIMITS } from '../domain/limits.ts'

/** Waits until the API says that everything behind it answers. Throws with what does not. */
export async function waitUntilReady(config: Config, signal: AbortSignal): Promise<void> {
  const deadlineMs = Date.now() + LIMITS.readyMs
  let state = 'no answer'
  while (Date.now() < deadlineMs) {
    signal.throwIfAborted()
    try {
      const response = await fetch(`http://${config.api.host}:${config.api.port}/readyz`, { signal })
      if (response.ok) return
      state = await response.text()
    } catch (error) {
      state = String(error)
    }
    await sleep(LIMITS.temporalPollMs, undefined, { signal })
  }
  throw new Error(
    `volflow did not become ready within ${LIMITS.readyMs / 1000} s: ${state}. See the logs in ${config.dataFolder}/log.`,
  )
}
