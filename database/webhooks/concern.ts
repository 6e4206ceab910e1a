import { type Expression, type ExpressionBuilder, sql, type SqlBool } from 'kysely'
import type { Schema } from '../schema.ts'

/** Which events a webhook has still to be told: the one place that says so. For queries that see both tables. */
export function concerns(eb: ExpressionBuilder<Schema, 'webhooks' | 'events'>): Expression<SqlBool> {
  const isKind = listed(eb.ref('webhooks.kinds'), sql.ref('operations.kind'))
  const ofKind = eb
    .selectFrom('operations')
    .select('operations.id')
    .whereRef('operations.id', '=', 'events.operationId')
    .where(isKind)
  return eb.and([
    eb('events.projectId', '=', eb.ref('webhooks.projectId')),
    eb('events.id', '>', eb.ref('webhooks.cursorId')),
    eb.or([
      eb.and([eb('webhooks.eventTypes', 'is', null), eb('events.type', '!=', 'progress')]),
      listed(eb.ref('webhooks.eventTypes'), eb.ref('events.type')),
    ]),
    eb.or([
      eb('webhooks.resourceId', 'is', null),
      eb('events.resourceId', '=', eb.ref('webhooks.resourceId')),
    ]),
    eb.or([eb('webhooks.kinds', 'is', null), eb.exists(ofKind)]),
  ])
}

/** Whether a JSON array of words has this one. The words are ours: none has a quote or a wildcard. */
function listed(array: Expression<string | null>, word: Expression<unknown>): Expression<SqlBool> {
  return sql<SqlBool>`${array} like '%"' || ${word} || '"%'`
}
