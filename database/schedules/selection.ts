import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { VolumeSelection } from '../../domain/schedules.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import type { ScheduleRow } from './read.ts'

/** On their way into being, or out of it: of no schedule that asks for volumes by what they are. */
const PASSING = ['creating', 'deleting']

export interface SelectedVolume {
  readonly id: string
  readonly createdAt: string
}

export function selectionOf({ volumes }: Pick<ScheduleRow, 'volumes'>): VolumeSelection {
  return JSON.parse(volumes) as VolumeSelection
}

/** The volumes of a schedule as they are now, by id. Those named by id that do not exist are left out. */
export async function selectVolumes(
  database: Database | Tx,
  schedule: Pick<ScheduleRow, 'projectId' | 'volumes'>,
): Promise<SelectedVolume[]> {
  const selection = selectionOf(schedule)
  let query = database
    .selectFrom('volumes')
    .select(['id', 'createdAt', 'metadata'])
    .where('projectId', '=', schedule.projectId)
    .orderBy('id')
  if ('ids' in selection) return query.where('id', 'in', selection.ids).execute()
  query = query.where('status', 'not in', PASSING)
  if ('volumeType' in selection) query = query.where('volumeType', '=', selection.volumeType)
  const volumes = await query.execute()
  if (!('metadata' in selection)) return volumes
  const wanted = Object.entries(selection.metadata)
  return volumes.filter(({ metadata }) => {
    const has = JSON.parse(metadata) as Record<string, string>
    return wanted.every(([key, value]) => Object.hasOwn(has, key) && has[key] === value)
  })
}

/** Throws RequestError 404 when a volume that is named does not exist in the project. */
export async function requireSelected(
  tx: Tx,
  schedule: Pick<ScheduleRow, 'projectId' | 'volumes'>,
): Promise<void> {
  const selection = selectionOf(schedule)
  if (!('ids' in selection)) return
  const found = new Set((await selectVolumes(tx, schedule)).map(({ id }) => id))
  const missing = selection.ids.find((id) => !found.has(id))
  if (missing === undefined) return
  throw new RequestError(404, 'volumeNotFound', `Volume ${missing} could not be found.`)
}

/** Throws RequestError 409 when there are more than one schedule may have. */
export function checkSelected(volumes: readonly unknown[]): void {
  if (volumes.length <= LIMITS.scheduleVolumesMax) return
  throw new RequestError(
    409,
    'tooManyVolumes',
    `Expected at most ${LIMITS.scheduleVolumesMax} volumes, got ${volumes.length}. Make several schedules of fewer volumes each.`,
  )
}
