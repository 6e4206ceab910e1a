import { IMAGE_LIMITS } from '../../domain/image-limits.ts'
import type { OperationKind, OperationState } from '../../domain/operations.ts'
import type { Database } from '../open.ts'
import type { ImageReader } from './visible.ts'
import type { OperationRow } from '../operations/read.ts'

/** Operations that bring bytes to an image: Glance calls them tasks. */
const KINDS: readonly OperationKind[] = ['upload-image', 'upload-volume-to-image', 'copy-image']

export interface TaskListing {
  readonly projectId: string
  readonly states?: readonly OperationState[]
  readonly limit: number
  readonly descending: boolean
  /** Id of the last task of the page before. */
  readonly marker?: string
}

/** The newest first; of an image of others none. */
export async function tasksOfImage(
  database: Database,
  reader: ImageReader,
  imageId: string,
): Promise<OperationRow[]> {
  let query = database
    .selectFrom('operations')
    .selectAll()
    .where('resourceId', '=', imageId)
    .where('kind', 'in', KINDS)
    .orderBy('createdAt', 'desc')
    .orderBy('id', 'desc')
    .limit(IMAGE_LIMITS.imageTasksMax)
  if (!reader.isAdmin) query = query.where('projectId', '=', reader.projectId)
  return query.execute()
}

export async function listTasks(database: Database, listing: TaskListing): Promise<OperationRow[]> {
  const { projectId, states, limit, descending, marker } = listing
  let query = database
    .selectFrom('operations')
    .selectAll()
    .where('projectId', '=', projectId)
    .where('kind', 'in', KINDS)
    .orderBy('createdAt', descending ? 'desc' : 'asc')
    .orderBy('id', descending ? 'desc' : 'asc')
    .limit(limit)
  if (states !== undefined) query = query.where('state', 'in', states)
  const last = marker === undefined ? undefined : await findTask(database, { id: marker, projectId })
  if (last !== undefined) {
    query = query.where((eb) =>
      eb(eb.refTuple('createdAt', 'id'), descending ? '<' : '>', eb.tuple(last.createdAt, last.id)),
    )
  }
  return query.execute()
}

export async function findTask(
  database: Database,
  { id, projectId }: { id: string; projectId: string },
): Promise<OperationRow | undefined> {
  return database
    .selectFrom('operations')
    .selectAll()
    .where('id', '=', id)
    .where('projectId', '=', projectId)
    .where('kind', 'in', KINDS)
    .executeTakeFirst()
}
