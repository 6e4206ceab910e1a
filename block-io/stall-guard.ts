import { DriverError } from '../domain/errors.ts'

/**
 * A signal that also aborts, with `transient`, when `moved` was not called for `stallMs`: a tool that hangs ends, however slow a
 * tool may be that works. Call `end` when done.
 */
export function stallGuard(signal: AbortSignal, stallMs: number) {
  const stalled = new AbortController()
  const timer = setTimeout(() => {
    stalled.abort(new DriverError('transient', `Expected bytes to move within ${stallMs} ms, none did`))
  }, stallMs)
  return {
    signal: AbortSignal.any([signal, stalled.signal]),
    moved: () => void timer.refresh(),
    end: () => clearTimeout(timer),
  }
}
