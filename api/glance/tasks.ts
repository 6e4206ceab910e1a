import { RequestError } from '../../domain/errors.ts'
import type { OperationState } from '../../domain/operations.ts'
import { formatBytes } from '../../domain/sizes.ts'
import { findTask, listTasks, tasksOfImage } from '../../database/images/tasks.ts'
import { requireVisibleImage } from '../../database/images/visible.ts'
import type { OperationRow } from '../../database/operations/read.ts'
import type { ApiContext, App } from '../context.ts'
import { callerOf } from '../identity/caller.ts'
import { limitOf } from './filters.ts'
import { glanceTime } from './image-view.ts'
import { imageIdOf, readerOf } from './reader.ts'

/** Glance's word for what has become of it. */
const STATUSES: Readonly<Record<OperationState, string>> = {
  pending: 'pending',
  running: 'processing',
  succeeded: 'success',
  failed: 'failure',
  cancelled: 'failure',
}

/** Operations on images, as tasks. A task is started by an import alone: Glance's own way to start one is deprecated and off. */
export function taskRoutes(app: App, { database }: ApiContext): void {
  app.get('/v2/images/:id/tasks', async (request) => {
    const reader = readerOf(request)
    const { id } = await requireVisibleImage(database, reader, imageIdOf(request))
    return { tasks: (await tasksOfImage(database, reader, id)).map(imageTaskView) }
  })
  app.get('/v2/tasks', async (request) => {
    const query = new URL(request.url, 'http://-').searchParams
    const limit = limitOf(query)
    const marker = query.get('marker')
    const states = statesOf(query)
    const rows = await listTasks(database, {
      projectId: callerOf(request).projectId,
      ...(states === undefined ? {} : { states }),
      ...(marker === null ? {} : { marker }),
      limit: limit + 1,
      descending: query.get('sort_dir') !== 'asc',
    })
    const tasks = rows.slice(0, limit)
    const last = tasks.at(-1)
    return {
      tasks: tasks.map(listedTaskView),
      first: `/v2/tasks?limit=${limit}`,
      ...(rows.length > limit && last !== undefined
        ? { next: `/v2/tasks?limit=${limit}&marker=${last.id}` }
        : {}),
      schema: '/v2/schemas/tasks',
    }
  })
  app.get('/v2/tasks/:id', async (request) => {
    const { id } = request.params as { id: string }
    const task = await findTask(database, { id, projectId: callerOf(request).projectId })
    if (task !== undefined) return taskView(task)
    throw new RequestError(404, 'taskNotFound', `Task ${id} could not be found.`)
  })
  app.post('/v2/tasks', { config: { rule: 'admin' } }, async () => {
    throw new RequestError(
      403,
      'tasksOff',
      'Tasks are not started in this way: import an image with POST /v2/images/{id}/import.',
    )
  })
}

function statesOf(query: URLSearchParams): OperationState[] | undefined {
  const status = query.get('status')
  if (status === null) return undefined
  const states = (Object.keys(STATUSES) as OperationState[]).filter((state) => STATUSES[state] === status)
  if (states.length > 0) return states
  throw new RequestError(
    400,
    'invalidRequest',
    `Expected status to be one of ${[...new Set(Object.values(STATUSES))].join(', ')}.`,
  )
}

function listedTaskView(task: OperationRow) {
  const { id, createdAt, startedAt, finishedAt, state } = task
  return {
    id,
    type: 'api_image_import',
    status: STATUSES[state],
    owner: task.projectId,
    created_at: glanceTime(createdAt),
    updated_at: glanceTime(finishedAt ?? startedAt ?? createdAt),
    expires_at: null,
    self: `/v2/tasks/${id}`,
    schema: '/v2/schemas/task',
  }
}

function taskView(task: OperationRow) {
  return {
    ...listedTaskView(task),
    input: { image_id: task.resourceId, import_req: importOf(task) },
    result: task.state === 'succeeded' ? { image_id: task.resourceId } : null,
    message: messageOf(task),
  }
}

/** As the request of an import would have said it: bytes that a client has sent itself, or a copy. */
function importOf({ kind, spec }: OperationRow) {
  if (kind !== 'copy-image') return { method: { name: 'glance-direct' } }
  const { toStore } = JSON.parse(spec) as { toStore: string }
  return { method: { name: 'copy-image' }, stores: [toStore] }
}

function imageTaskView(task: OperationRow) {
  return {
    ...taskView(task),
    image_id: task.resourceId,
    request_id: task.requestId,
    user_id: task.userId,
  }
}

/** What is wrong, or how far it is: Glance has no other field for it. */
function messageOf({
  errorMessage,
  lastError,
  finishedAt,
  phase,
  doneBytes,
  totalBytes,
}: OperationRow): string {
  if (errorMessage !== null) return errorMessage
  if (finishedAt !== null) return ''
  if (phase !== null && totalBytes > 0) {
    const percent = Math.floor((100 * doneBytes) / totalBytes)
    return `${phase}: ${percent} % (${formatBytes(doneBytes)} of ${formatBytes(totalBytes)})`
  }
  return lastError ?? phase ?? ''
}
