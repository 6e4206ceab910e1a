/** What can be told of an operation, in the order in which it usually happens. */
export const EVENT_TYPES = [
  'accepted',
  'started',
  'progress',
  'attempt-failed',
  'waiting',
  'controls-changed',
  'requeued',
  'cancel-requested',
  'abandoned',
  'committing',
  'ended',
] as const

export type EventType = (typeof EVENT_TYPES)[number]

/**
 * Of these the log keeps the newest of each operation: a new one takes the place of the one before, under a new id. Who follows
 * sees each as it comes, who comes later sees where things stand, and the log does not grow with the hours that an operation takes.
 */
export const REPLACED_EVENT_TYPES: readonly EventType[] = ['progress', 'attempt-failed', 'waiting']
