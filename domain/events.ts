/** What can be told of an operation, in the order in which it usually happens. */
export const OPERATION_EVENT_TYPES = [
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

/**
 * What can be told of a schedule: a planned volume has had no good backup for longer than its plan allows; it has one again, or is no longer
 * planned; a planned time passed, and nothing was running to start it.
 */
export const SCHEDULE_EVENT_TYPES = ['alarm-raised', 'alarm-cleared', 'run-missed'] as const

export const EVENT_TYPES = [...OPERATION_EVENT_TYPES, ...SCHEDULE_EVENT_TYPES] as const

export type OperationEventType = (typeof OPERATION_EVENT_TYPES)[number]
export type ScheduleEventType = (typeof SCHEDULE_EVENT_TYPES)[number]
export type EventType = OperationEventType | ScheduleEventType

/** What an event tells of a schedule. */
export interface ScheduleNews {
  readonly id: string
  readonly name: string
  /** Of an alarm. */
  readonly volumeId: string | null
  /** Of its newest good backup by this schedule, as the alarm was raised; null: there was none. */
  readonly lastGoodAt: string | null
  /** The planned time that was missed. */
  readonly scheduledAt: string | null
}

export function isOfSchedule(type: EventType): type is ScheduleEventType {
  return (SCHEDULE_EVENT_TYPES as readonly EventType[]).includes(type)
}

/**
 * Of these the log keeps the newest of each operation: a new one takes the place of the one before, under a new id. Who follows
 * sees each as it comes, who comes later sees where things stand, and the log does not grow with the hours that an operation takes.
 */
export const REPLACED_EVENT_TYPES: readonly EventType[] = ['progress', 'attempt-failed', 'waiting']
