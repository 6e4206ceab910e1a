import type { ExpressionBuilder } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import { recordEvent } from '../events/record.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import type { Schema } from '../schema.ts'

/** What an attempt has to obey now. */
export interface Controls {
  readonly paused: boolean
  /** Its own limit, or its share of the backend's, whichever is less; null: none. */
  readonly rateLimitBytes: number | null
}

/** Pauses end at the commit point, and do not hold up a cancel. */
export async function controlsOf(
  database: Database | Tx,
  operationId: string,
  nowMs: number,
): Promise<Controls> {
  const operation = await database
    .selectFrom('operations')
    .select(['projectId', 'backend', 'pausedAt', 'rateLimitBytes', 'commitEnteredAt', 'cancelRequestedAt'])
    .where('id', '=', operationId)
    .executeTakeFirst()
  if (operation === undefined) return { paused: false, rateLimitBytes: null }
  const { projectId, backend, commitEnteredAt, cancelRequestedAt } = operation
  const controls = await database.selectFrom('controls').selectAll().execute()
  const applying = controls.filter(({ scope, name }) => name === (scope === 'backend' ? backend : projectId))
  const pausedAt = operation.pausedAt ?? applying.find((control) => control.pausedAt !== null)?.pausedAt
  const limits = [operation.rateLimitBytes]
  for (const { rateLimitBytes } of applying) {
    if (rateLimitBytes !== null && backend !== null)
      limits.push(rateLimitBytes / Math.max(1, await writersOn(database, backend, nowMs)))
  }
  const set = limits.filter((limit) => limit !== null)
  return {
    paused: (pausedAt ?? null) !== null && commitEnteredAt === null && cancelRequestedAt === null,
    rateLimitBytes: set.length === 0 ? null : Math.min(...set),
  }
}

/** Attempts under way on a backend: each gets the same share of its limit. */
async function writersOn(database: Database | Tx, backend: string, nowMs: number): Promise<number> {
  const { count } = await database
    .selectFrom('attempts')
    .innerJoin('operations', 'operations.id', 'attempts.operationId')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('operations.backend', '=', backend)
    .where('attempts.released', '=', 0)
    .where('attempts.leaseExpiresAtMs', '>', nowMs)
    .executeTakeFirstOrThrow()
  return Number(count)
}

export type ControlScope = { readonly scope: 'backend' | 'project'; readonly name: string }

export interface ControlChange {
  readonly paused?: boolean
  readonly rateLimitBytes?: number | null
}

/** Repeatable. Takes effect within seconds, also for what is running. */
export async function changeControls(
  database: Database,
  key: ControlScope,
  change: ControlChange,
): Promise<void> {
  const columns = columnsOf(change)
  await database
    .insertInto('controls')
    .values({ pausedAt: null, rateLimitBytes: null, ...key, ...columns })
    .onConflict((conflict) => conflict.columns(['scope', 'name']).doUpdateSet({ name: key.name, ...columns }))
    .execute()
}

export async function readControls(database: Database, scope: ControlScope['scope']) {
  return database.selectFrom('controls').selectAll().where('scope', '=', scope).orderBy('name').execute()
}

/** Throws RequestError 404, or 409 when the operation has ended or, for a pause, passed its commit point. */
export async function changeOperation(
  database: Database,
  key: { operationId: string; projectId: string },
  change: ControlChange,
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    let update = tx
      .updateTable('operations')
      .set(columnsOf(change))
      .where('id', '=', key.operationId)
      .where('projectId', '=', key.projectId)
      .where('state', 'in', ['pending', 'running'])
    if (change.paused === true) update = update.where('commitEnteredAt', 'is', null)
    const { numUpdatedRows } = await update.executeTakeFirstOrThrow()
    if (numUpdatedRows === 0n) await refuse(tx, key)
    await recordEvent(tx, key.operationId, 'controls-changed')
  })
}

async function refuse(database: Tx, key: { operationId: string; projectId: string }): Promise<never> {
  const operation = await database
    .selectFrom('operations')
    .select('state')
    .where('id', '=', key.operationId)
    .where('projectId', '=', key.projectId)
    .executeTakeFirst()
  const name = `Operation ${key.operationId}`
  if (operation === undefined) throw new RequestError(404, 'operationNotFound', `${name} could not be found.`)
  if (operation.state === 'pending' || operation.state === 'running') {
    throw new RequestError(
      409,
      'operationCommitted',
      `${name} has passed its commit point and can no longer be paused; it ends by itself.`,
    )
  }
  throw new RequestError(409, 'operationEnded', `${name} has already ended: ${operation.state}.`)
}

function columnsOf({ paused, rateLimitBytes }: ControlChange) {
  return {
    ...(paused === undefined ? {} : { pausedAt: paused ? new Date().toISOString() : null }),
    ...(rateLimitBytes === undefined ? {} : { rateLimitBytes }),
  }
}

/** Operations that stopped for a pause which is over: their workflows wait for a word. */
export async function resumableOperations(database: Database, limit: number): Promise<string[]> {
  const rows = await database
    .selectFrom('operations')
    .select('id')
    .where('state', '=', 'running')
    .where('waitingFor', '=', PAUSED)
    .where((eb) =>
      eb.or([
        eb('cancelRequestedAt', 'is not', null),
        eb.and([eb('pausedAt', 'is', null), eb.not(isPausedByScope(eb))]),
      ]),
    )
    .orderBy('createdAt')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

function isPausedByScope(eb: ExpressionBuilder<Schema, 'operations'>) {
  return eb.exists(
    eb
      .selectFrom('controls')
      .select('controls.name')
      .where('controls.pausedAt', 'is not', null)
      .where((of) =>
        of.or([
          of.and([of('scope', '=', 'backend'), of('controls.name', '=', of.ref('operations.backend'))]),
          of.and([of('scope', '=', 'project'), of('controls.name', '=', of.ref('operations.projectId'))]),
        ]),
      ),
  )
}

export const PAUSED = 'paused'

/** Undefined `reason`: it advances. Nothing happens when the row says something else than `was` by now. */
export async function setWaiting(
  database: Database,
  operationId: string,
  reason: string | undefined,
  was: string | null,
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('operations')
      .set({ waitingFor: reason ?? null })
      .where('id', '=', operationId)
      .where('state', '=', 'running')
      .where('waitingFor', was === null ? 'is' : '=', was)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 1n) await recordEvent(tx, operationId, 'waiting')
  })
}
