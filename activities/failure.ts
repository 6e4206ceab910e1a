import { ApplicationFailure, CancelledFailure } from '@temporalio/common'
import {
  ABANDONED,
  DatabaseUnavailableError,
  DriverError,
  type DriverErrorKind,
  OperationOverError,
} from '../domain/errors.ts'
import { PAUSED_FAILURE, retryDelayMs } from '../domain/retries.ts'

/** Worth another try: nothing about the request has to change for it to succeed. */
const RETRYABLE: Record<DriverErrorKind, boolean> = {
  transient: true,
  busy: true,
  inUse: false,
  notFound: false,
  full: false,
  invalid: false,
  unsupported: false,
  corrupt: false,
}

/** The one place where a driver's error kind becomes Temporal's retry decision. `attempt` counts from 1. */
export function toFailure(error: unknown, attempt: number): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error
  if (error instanceof DriverError) {
    return ApplicationFailure.create({
      type: error.kind,
      message: error.message,
      nonRetryable: !RETRYABLE[error.kind],
      nextRetryDelay: retryDelayMs(attempt),
    })
  }
  // Only of an abandoned operation is the workflow perhaps still there to see this.
  if (error instanceof OperationOverError)
    return ApplicationFailure.nonRetryable(ABANDONED.message, ABANDONED.code)
  if (error instanceof DatabaseUnavailableError) {
    return ApplicationFailure.create({
      type: 'databaseUnavailable',
      message: error.message,
      nextRetryDelay: retryDelayMs(attempt),
    })
  }
  const message = error instanceof Error ? error.message : String(error)
  return ApplicationFailure.create({
    type: 'unexpected',
    message,
    nonRetryable: false,
    nextRetryDelay: retryDelayMs(attempt),
    ...(error instanceof Error && { cause: error }),
  })
}

export function isRetryable(failure: Error): boolean {
  return !(failure instanceof ApplicationFailure && failure.nonRetryable === true)
}

/** The attempt stopped for a pause: its workflow waits for the end of it, instead of a worker. */
export function pausedFailure(): ApplicationFailure {
  return ApplicationFailure.nonRetryable('Paused.', PAUSED_FAILURE)
}

export function isPaused(failure: Error): boolean {
  return failure instanceof ApplicationFailure && failure.type === PAUSED_FAILURE
}
