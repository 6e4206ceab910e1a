/** Requests about backups in Cinder's format: those that Cinder made, and those that we write for it. */
import type { Selectable } from 'kysely'
import { type BackupLocation, locate } from '../../domain/cinder-names.ts'
import { decodeRecord, encodeRecord, type ExportRecord } from '../../domain/cinder-record.ts'
import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource } from '../resources.ts'
import type { BackupsTable } from '../schema.ts'
import type { PlaceNames } from './places.ts'

type BackupRow = Selectable<BackupsTable>

/** Accepts a search for the backups in a target, or with a record of Cinder's export for that one alone. */
export function requestScan(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: { readonly target: string; readonly record?: ExportRecord },
): Promise<Accepted & { replayed: boolean }> {
  const { target, record } = request
  const { driver } = requireCinderTarget(places, target)
  const location = record === undefined ? null : decodeRecord(driver, record.backupUrl)
  if (location === undefined) {
    throw new RequestError(
      400,
      'invalidRecord',
      `Expected the two strings of Cinder's backup export, of a backup that target ${target} can hold (${driver}), got something else.`,
    )
  }
  const only = location === null ? null : `${location.folder}${location.prefix}`
  return requestOnce(database, actor, { scanTarget: target, only }, async (tx) => {
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'scan-target',
      spec: { target, projectId: actor.projectId, userId: actor.userId, only },
      resources: { target },
      primary: 'target',
    })
    return { operationId, resourceId: target }
  })
}

/** What `cinder backup-import` takes. Throws RequestError 400 for a backup in our own format, 409 for one that is not finished. */
export async function exportRecord(
  database: Database,
  places: PlaceNames,
  key: { id: string; projectId: string },
): Promise<ExportRecord> {
  const backup = requireCinder(await requireResource(database, 'backup', key))
  const { driver } = requireCinderTarget(places, backup.target)
  const location = locationOf(driver, backup)
  if (location === undefined || backup.status !== 'available')
    throw new RequestError(
      409,
      'invalidStatus',
      `Expected backup ${key.id} to be available, it is ${backup.status}.`,
    )
  const { name, description, parentId, sizeBytes, objectCount, dataTimestamp, createdAt } = backup
  return encodeRecord(driver, {
    ...{ location, name, description, parentId, sizeBytes, objectCount, dataTimestamp, createdAt },
    bucket: backup.container ?? '',
  })
}

/** Undefined: its upload has not begun. */
export function locationOf(
  driver: 's3' | 'directory',
  { container, serviceMetadata }: Pick<BackupRow, 'container' | 'serviceMetadata'>,
): BackupLocation | undefined {
  if (serviceMetadata === null) return undefined
  const folder = driver === 's3' || container === null || container === '' ? '' : `${container}/`
  return locate(driver, `${folder}${serviceMetadata}`)
}

function requireCinderTarget(places: PlaceNames, name: string): PlaceNames['cinderTargets'][string] {
  const found = Object.hasOwn(places.cinderTargets, name) ? places.cinderTargets[name] : undefined
  if (found !== undefined) return found
  const names = Object.keys(places.cinderTargets)
  const known = names.length === 0 ? 'none is configured' : `configured are: ${names.join(', ')}`
  throw new RequestError(400, 'unknownPlace', `Expected a target in Cinder's format, got ${name}; ${known}.`)
}

function requireCinder(backup: BackupRow): BackupRow {
  if (backup.format === 'cinder') return backup
  throw new RequestError(
    400,
    'otherFormat',
    `Expected a backup in Cinder's format, but backup ${backup.id} in target ${backup.target} is in another.`,
  )
}
