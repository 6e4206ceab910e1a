import type { Client } from '@temporalio/client'
import { clearLeftovers, reconcile } from '../client/reconciler.ts'
import { applyChangedSchedules, reconcileSchedules } from '../client/schedules.ts'
import { sweep } from '../client/sweeper.ts'
import { pruneEvents } from '../database/events/prune.ts'
import type { Database } from '../database/open.ts'
import { advanceCursors } from '../database/webhooks/pending.ts'
import type { PlaceNames } from '../database/requests/places.ts'
import { LIMITS } from '../domain/limits.ts'
import type { WebhookDeliverer } from '../webhooks/deliverer.ts'
import type { Logger } from './logger.ts'
import { loop } from './loop.ts'
import { applyRetentions, verifyBackups, watchBackups } from './tend-schedules.ts'

interface Loops {
  readonly client: Client
  readonly database: Database
  readonly deliverer: WebhookDeliverer
  readonly places: PlaceNames
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** What keeps database and Temporal in step, and does what nobody has asked for. Several control workers may do it at once. */
export function controlLoops({
  client,
  database,
  deliverer,
  places,
  logger,
  signal,
}: Loops): Promise<void>[] {
  const loops: readonly [name: string, intervalMs: number, step: () => Promise<void>][] = [
    ['sweep', LIMITS.sweepIntervalMs, () => sweep(client, database, signal)],
    ['reconcile', LIMITS.reconcileIntervalMs, () => reconcile(client, database)],
    ['apply schedules', LIMITS.sweepIntervalMs, () => applyChangedSchedules(client, database)],
    ['reconcile schedules', LIMITS.reconcileIntervalMs, () => reconcileSchedules(client, database)],
    ['apply retentions', LIMITS.reconcileIntervalMs, () => applyRetentions(database)],
    ['verify backups', LIMITS.reconcileIntervalMs, () => verifyBackups(database, places)],
    ['watch backups', LIMITS.alarmIntervalMs, () => watchBackups(database, logger)],
    ['janitor', LIMITS.janitorIntervalMs, () => clearLeftovers(client, database)],
    ['prune events', LIMITS.pruneIntervalMs, () => prune(database)],
    ['advance webhooks', LIMITS.webhookAdvanceMs, () => advanceCursors(database)],
    ['webhooks', LIMITS.webhookPollMs, () => deliverer.step()],
  ]
  return loops.map(([name, intervalMs, step]) => loop(name, step, { intervalMs, signal, logger }))
}

/** What is removed had been told, or is missed. */
async function prune(database: Database): Promise<void> {
  await advanceCursors(database)
  await pruneEvents(database, Date.now())
}
