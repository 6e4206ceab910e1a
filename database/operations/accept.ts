import { randomUUID } from 'node:crypto'
import type { Artifact } from '../../domain/artifacts.ts'
import { RequestError } from '../../domain/errors.ts'
import {
  OPERATION_ROLES,
  type OperationKind,
  type OperationSpecs,
  PRIORITY,
  type Priority,
  type ResourceRole,
  YIELDING,
} from '../../domain/operations.ts'
import { claimedStatus } from '../../domain/volume-claims.ts'
import { volumeInUse } from '../attachments.ts'
import { recordEvent } from '../events/record.ts'
import { checkQuotas } from '../quotas.ts'
import { capitalised, isStored, resourceStatus, setStatus, type Tx } from '../resources.ts'
import { cancelInTransaction } from './cancel.ts'

/** Who asks, and the key under which a repeated request finds its first answer. */
export interface Actor {
  readonly projectId: string
  readonly userId: string
  readonly requestId: string
  readonly idempotencyKey?: string
}

export interface OperationRequest<K extends OperationKind> {
  readonly actor: Actor
  readonly kind: K
  readonly spec: OperationSpecs[K]
  /** Role of OPERATION_ROLES[kind] -> id of the resource that plays it, or several. */
  readonly resources: Readonly<Record<string, string | readonly string[]>>
  /** The role whose resource the operation is about. */
  readonly primary: string
  readonly artifacts?: readonly Artifact[]
  /** Default: a user is waiting for it. */
  readonly priority?: Priority
}

/**
 * Writes the operation with its locks and planned artifacts; the caller inserts a new resource's row before, in the same
 * transaction. Throws RequestError 409 naming the holder when a resource is locked, or when its status does not allow this, and 413 when the
 * project would have more than its quotas allow.
 */
export async function acceptOperation<K extends OperationKind>(
  tx: Tx,
  request: OperationRequest<K>,
): Promise<string> {
  const operationId = randomUUID()
  const roles: Readonly<Record<string, ResourceRole>> = OPERATION_ROLES[request.kind]
  const primary = roles[request.primary]
  const primaryId = request.resources[request.primary]
  if (primary === undefined || typeof primaryId !== 'string')
    throw new Error(`No primary role in ${request.kind}`)
  await tx
    .insertInto('operations')
    .values({
      id: operationId,
      projectId: request.actor.projectId,
      userId: request.actor.userId,
      requestId: request.actor.requestId,
      kind: request.kind,
      state: 'pending',
      priority: request.priority ?? PRIORITY.interactive,
      resourceType: primary.type,
      resourceId: primaryId,
      spec: JSON.stringify(request.spec),
      backend: 'backend' in request.spec ? request.spec.backend : null,
      createdAt: new Date().toISOString(),
    })
    .execute()
  // Id order: two requests over the same resources can never wait for each other.
  const parts = Object.entries(request.resources)
    .flatMap(([name, ids]) => [ids].flat().map((id) => [name, id] as const))
    .toSorted(([, a], [, b]) => a.localeCompare(b))
  for (const [name, resourceId] of parts) {
    const role = roles[name]
    if (role === undefined) throw new Error(`No role ${name} in ${request.kind}`)
    await lock(tx, { operationId, kind: request.kind, name, role, resourceId })
  }
  await checkQuotas(tx, {
    kind: request.kind,
    projectId: request.actor.projectId,
    resourceId: primaryId,
  })
  await planArtifacts(tx, operationId, request.artifacts ?? [])
  await recordEvent(tx, operationId, 'accepted')
  return operationId
}

interface LockRequest {
  operationId: string
  kind: OperationKind
  name: string
  role: ResourceRole
  resourceId: string
}

async function lock(tx: Tx, { operationId, kind, name, role, resourceId }: LockRequest): Promise<void> {
  const holders = await tx
    .selectFrom('operationResources')
    .selectAll()
    .where('resourceId', '=', resourceId)
    .execute()
  const blockers = holders.filter((holder) => role.mode === 'exclusive' || holder.mode === 'exclusive')
  const yielding = await firstYielding(tx, blockers)
  const blocker = blockers.find(({ operationId: id }) => id !== yielding) ?? blockers[0]
  const isDeletedEarly = holders.length === 1 && blocker !== undefined && (await mayFollow(tx, role, blocker))
  const waits =
    blockers.length === 1 && (yielding !== undefined || (await isFollowed(tx, operationId, blocker)))
  const follows = isDeletedEarly || waits
  if (follows && blocker !== undefined) await follow(tx, operationId, blocker.operationId)
  else if (blocker !== undefined) {
    throw new RequestError(
      409,
      'resourceBusy',
      `${capitalised(role.type)} ${resourceId} is held by operation ${blocker.operationId}. Wait for it to end, or cancel it.`,
      blocker.operationId,
    )
  }
  const status = isStored(role.type) ? await resourceStatus(tx, role.type, resourceId) : undefined
  if (!isDeletedEarly) checkStatus(kind, role, resourceId, await claimed(tx, role, resourceId, status))
  const shown = holders.find((holder) => holder.busyStatus !== null && holder.busyStatus === status)
  await tx
    .insertInto('operationResources')
    .values({
      operationId,
      resourceType: role.type,
      resourceId,
      role: name,
      mode: role.mode,
      busyStatus: role.busy ?? null,
      restStatus: shown?.restStatus ?? status ?? null,
    })
    .execute()
  if (role.busy !== undefined && isStored(role.type)) await setStatus(tx, role.type, resourceId, role.busy)
}

/** The status that counts for what may be begun: that of a volume which is promised to somebody is the promise. */
async function claimed(
  tx: Tx,
  { type }: ResourceRole,
  id: string,
  status: string | undefined,
): Promise<string | undefined> {
  if (type !== 'volume' || status === undefined) return status
  const row = await tx.selectFrom('volumes').select('claim').where('id', '=', id).executeTakeFirst()
  return claimedStatus({ status, claim: row?.claim ?? null })
}

async function firstYielding(
  tx: Tx,
  holders: readonly { operationId: string }[],
): Promise<string | undefined> {
  if (holders.length === 0) return undefined
  const holder = await tx
    .selectFrom('operations')
    .select('id')
    .where(
      'id',
      'in',
      holders.map(({ operationId }) => operationId),
    )
    .where('kind', 'in', [...YIELDING])
    .executeTakeFirst()
  return holder?.id
}

/** Something that is being created may be deleted: the creation is cancelled, and the deletion waits for its end. */
async function mayFollow(
  tx: Tx,
  role: ResourceRole,
  holder: { operationId: string; role: string },
): Promise<boolean> {
  if (role.succeeded !== 'gone') return false
  const { kind } = await tx
    .selectFrom('operations')
    .select('kind')
    .where('id', '=', holder.operationId)
    .executeTakeFirstOrThrow()
  const roles: Readonly<Record<string, ResourceRole>> = OPERATION_ROLES[kind]
  return roles[holder.role]?.cancelled === 'gone'
}

/** It begins after the end of this one anyway. */
async function isFollowed(
  tx: Tx,
  operationId: string,
  holder: { operationId: string } | undefined,
): Promise<boolean> {
  const row = await tx
    .selectFrom('operations')
    .select('afterOperationId')
    .where('id', '=', operationId)
    .executeTakeFirstOrThrow()
  return holder !== undefined && row.afterOperationId === holder.operationId
}

async function follow(tx: Tx, operationId: string, holderId: string): Promise<void> {
  await tx
    .updateTable('operations')
    .set({ afterOperationId: holderId, waitingFor: `the end of operation ${holderId}` })
    .where('id', '=', operationId)
    .execute()
  const holder = await tx
    .selectFrom('operations')
    .select(['startedAt', 'cancelRequestedAt', 'commitEnteredAt'])
    .where('id', '=', holderId)
    .executeTakeFirstOrThrow()
  if (holder.commitEnteredAt === null) await cancelInTransaction(tx, holderId, holder)
}

function checkStatus(
  kind: OperationKind,
  role: ResourceRole,
  resourceId: string,
  status: string | undefined,
): void {
  if (role.from === undefined || (status !== undefined && role.from.includes(status))) return
  if (role.type === 'volume' && status === 'in-use') throw volumeInUse(resourceId)
  throw new RequestError(
    409,
    'invalidStatus',
    `Expected ${role.type} ${resourceId} to be ${role.from.join(' or ')} for ${kind}, but its status is ${status ?? 'unknown'}.`,
  )
}

async function planArtifacts(tx: Tx, operationId: string, artifacts: readonly Artifact[]): Promise<void> {
  const rows = artifacts.map((artifact, sequence) => ({ ...artifact, operationId, sequence }))
  if (rows.length > 0) await tx.insertInto('artifacts').values(rows).execute()
}
