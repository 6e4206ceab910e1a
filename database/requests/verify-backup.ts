import { randomUUID } from 'node:crypto'
import type { Artifact } from '../../domain/artifacts.ts'
import { RequestError } from '../../domain/errors.ts'
import { PRIORITY, type Priority } from '../../domain/operations.ts'
import type { Verification } from '../../domain/verification.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import type { BackupRow } from '../read.ts'
import { requireResource, type Tx } from '../resources.ts'
import { choosePlace } from './checks.ts'
import { requireObjects } from './pooled-backup.ts'
import type { PlaceNames } from './places.ts'

export interface VerifyRequest extends Verification {
  readonly backupId: string
  /** Where a restore is tried; left out: the first backend. */
  readonly backend?: string
  /** A backup of the same volume in another target: damaged chunks are healed with its bytes, where these are the same. */
  readonly healFromBackupId?: string
}

/** Accepts a look at a backup. Throws RequestError 404, or 409 for one that was never finished. */
export function requestVerification(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: VerifyRequest,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { verifyBackup: request }, async (tx) => ({
    operationId: await acceptVerification(tx, actor, places, request),
    resourceId: request.backupId,
  }))
}

/** As `requestVerification`, in the caller's transaction. Resolves to the operation's id. */
export async function acceptVerification(
  tx: Tx,
  actor: Actor,
  places: PlaceNames,
  request: VerifyRequest & { readonly priority?: Priority },
): Promise<string> {
  const { projectId } = actor
  const { backupId, level, samplePercent, priority = PRIORITY.interactive } = request
  const backup = await requireResource(tx, 'backup', { id: backupId, projectId })
  requireHealable(backup, request)
  if (backup.status === 'error' && backup.damagedObjects === null)
    throw new RequestError(
      409,
      'invalidStatus',
      `Backup ${backupId} was never finished: there is nothing to verify.`,
    )
  const backend = level === 'restore' ? choosePlace('backend', request.backend, places.backends) : null
  const volumeId = randomUUID()
  const healFrom = await healerOf(tx, backup, request.healFromBackupId)
  const { target, sizeBytes } = backup
  return acceptOperation(tx, {
    actor,
    kind: 'verify-backup',
    spec: { backupId, target, projectId, sizeBytes, level, samplePercent, backend, volumeId, healFrom },
    resources: { backup: backupId },
    primary: 'backup',
    artifacts: backend === null ? [] : [scratchVolume(backend, volumeId)],
    priority,
  })
}

/** Only our own format has a place for marks of what is damaged; others are not written to. */
function requireHealable({ id, format }: BackupRow, { level, healFromBackupId }: VerifyRequest): void {
  if (format === 'volflow' || (level !== 'quarantined' && healFromBackupId === undefined)) return
  throw new RequestError(
    400,
    'otherFormat',
    `Expected a backup in volflow's own format to heal it or to look at what was damaged before, but backup ${id} is ${format === 'rbd' ? 'a snapshot' : "in Cinder's"}. Verify its content.`,
  )
}

async function healerOf(
  tx: Tx,
  backup: BackupRow,
  id: string | undefined,
): Promise<{ backupId: string; target: string } | null> {
  if (id === undefined) return null
  const { volumeId, projectId, sizeBytes } = backup
  const copy = await requireResource(tx, 'backup', { id, projectId })
  requireObjects(copy, 'Restore it instead.')
  if (copy.volumeId === volumeId && copy.sizeBytes === sizeBytes && copy.target !== backup.target)
    return { backupId: copy.id, target: copy.target }
  throw new RequestError(
    400,
    'noCopy',
    `Expected a backup of volume ${volumeId} with ${sizeBytes} bytes in another target than ${backup.target}, got ${id}.`,
  )
}

function scratchVolume(backend: string, id: string): Artifact {
  return { kind: 'volume', placeType: 'backend', place: backend, id, parentId: null, purpose: 'temporary' }
}
