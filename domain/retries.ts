/** How activities are tried again: soon at first, then often enough that a returned component is used within seconds. */
export const RETRY = { initialIntervalMs: 1_000, maximumIntervalMs: 20_000, backoffCoefficient: 2 } as const

/** Delay before the try that follows failed attempt number `attempt` (from 1). */
export function retryDelayMs(attempt: number): number {
  const { initialIntervalMs, maximumIntervalMs, backoffCoefficient } = RETRY
  return Math.min(initialIntervalMs * backoffCoefficient ** Math.min(attempt - 1, 30), maximumIntervalMs)
}

/** Type of the failure with which an attempt stops for a pause. */
export const PAUSED_FAILURE = 'paused'

/** Tells a workflow that waits that the pause is over. */
export const RESUME_SIGNAL = 'resume'
