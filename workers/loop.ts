import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from './logger.ts'

/** Repeats a step until the signal fires. A step that fails is logged once per message and tried again: loops never die. */
export async function loop(
  name: string,
  step: () => Promise<void>,
  options: { intervalMs: number; signal: AbortSignal; logger: Logger },
): Promise<void> {
  let lastError = ''
  while (!options.signal.aborted) {
    try {
      await step()
      lastError = ''
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (message !== lastError)
        options.logger.warn({ loop: name, error: message }, 'step failed; it is tried again')
      lastError = message
    }
    await sleep(options.intervalMs, undefined, { signal: options.signal }).catch(() => undefined)
  }
}
