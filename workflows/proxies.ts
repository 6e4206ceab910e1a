/** How activities are called: queues, timeouts and retries in one place. */
import { ActivityCancellationType, proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
import type { ControlActivities } from '../activities/control.ts'
import type { DataActivities } from '../activities/index.ts'
import type { ScheduleActivities } from '../activities/schedules.ts'
import { dataQueue, type PlaceType, placeQueue, storeDataQueue, targetDataQueue } from '../domain/queues.ts'
import { RETRY } from '../domain/retries.ts'
import { pausable } from './pause.ts'

const retry = {
  initialInterval: RETRY.initialIntervalMs,
  maximumInterval: RETRY.maximumIntervalMs,
  backoffCoefficient: RETRY.backoffCoefficient,
}

/** Database steps, beside the workflow: tried again for as long as the database is away. */
export const control = proxyLocalActivities<ControlActivities>({ startToCloseTimeout: '30s', retry })

export const schedules = proxyLocalActivities<ScheduleActivities>({ startToCloseTimeout: '30s', retry })

/** Short calls on a place, and undo. */
export function onPlace(type: PlaceType, name: string) {
  return activitiesOn(placeQueue(type, name), '30m')
}

/** Movers of data: hours long, and only as many at a time as the backend's workers have places for. */
export function onData(backend: string) {
  return activitiesOn(dataQueue(backend), '24h')
}

/** As `onData`, for what touches no backend. */
export function onTargetData(target: string) {
  return activitiesOn(targetDataQueue(target), '24h')
}

export function onStoreData(store: string) {
  return activitiesOn(storeDataQueue(store), '24h')
}

function activitiesOn(taskQueue: string, startToCloseTimeout: '30m' | '24h') {
  return pausable(
    proxyActivities<DataActivities>({
      taskQueue,
      startToCloseTimeout,
      heartbeatTimeout: '10s',
      // A writer that is told to stop must have stopped before anything it wrote is undone.
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      // For an attempt that vanished with its worker; one that fails says itself when it is worth another try.
      retry: { initialInterval: RETRY.initialIntervalMs, backoffCoefficient: 1 },
    }),
    control.isPaused,
  )
}
