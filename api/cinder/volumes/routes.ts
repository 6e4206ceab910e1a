import { z } from 'zod'
import { describe } from '../../../database/cinder/volumes.ts'
import { requestVolumeDeletion } from '../../../database/requests/delete-volume.ts'
import type { ApiContext, App } from '../../context.ts'
import { requireAllowed } from '../../identity/caller.ts'
import { Fault } from '../fault.ts'
import { booleanOf, ID_PARAMS, METADATA, NAME } from '../fields.ts'
import { queryOf } from '../list-query.ts'
import { metadataRoutes } from '../metadata.ts'
import { minorOf } from '../microversion.ts'
import { owned } from '../owned.ts'
import { releaseHolders } from '../release-holders.ts'
import { start } from '../start.ts'
import { volumeActionRoute } from './actions.ts'
import { volumeCreateRoute } from './create.ts'
import { volumeListRoutes } from './list.ts'
import { changedVolumeView, volumeView } from './view.ts'

const UPDATE = z.strictObject({
  volume: z.strictObject({
    name: NAME,
    description: NAME,
    display_name: NAME,
    display_description: NAME,
    metadata: METADATA.exactOptional(),
  }),
})

/** Since when an update has to say something, and a deletion may be forced. */
const NOT_EMPTY = 53
const FORCE = 23

export function volumeRoutes(app: App, context: ApiContext): void {
  volumeListRoutes(app, context)
  volumeCreateRoute(app, context)
  volumeActionRoute(app, context)
  metadataRoutes(app, context, 'volume')
  const tags = ['volumes']
  app.get(
    '/volumes/:id',
    { schema: { tags, summary: 'Show a volume', params: ID_PARAMS } },
    async (request) => {
      const { row } = await owned(context, request, 'volume', request.params.id)
      return { volume: await volumeView(context, request, row) }
    },
  )
  app.put(
    '/volumes/:id',
    { schema: { tags, summary: 'Rename a volume', params: ID_PARAMS, body: UPDATE } },
    async (request) => {
      const { volume } = request.body
      if (minorOf(request) >= NOT_EMPTY && Object.keys(volume).length === 0)
        throw new Fault(400, 'Expected a name, a description or metadata, got none.')
      const { row } = await owned(context, request, 'volume', request.params.id)
      await describe(context.database, 'volume', row.id, described(volume))
      const changed = await owned(context, request, 'volume', row.id)
      return { volume: await changedVolumeView(context, request, changed.row) }
    },
  )
  volumeDeleteRoute(app, context)
}

function volumeDeleteRoute(app: App, context: ApiContext): void {
  app.delete(
    '/volumes/:id',
    { schema: { tags: ['volumes'], summary: 'Delete a volume', params: ID_PARAMS } },
    async (request, reply) => {
      const query = queryOf(request)
      const cascade = booleanOf('cascade', query.cascade ?? 'false')
      const force = minorOf(request) >= FORCE && booleanOf('force', query.force ?? 'false')
      const { row, actor } = await owned(context, request, 'volume', request.params.id)
      if (force) {
        requireAllowed(request, 'admin')
        await releaseHolders(context, 'volume', row)
      }
      start(context, reply, await requestVolumeDeletion(context.database, actor, row.id, { cascade }))
      return reply.code(202).send()
    },
  )
}

interface Described {
  readonly name?: string | null | undefined
  readonly description?: string | null | undefined
  readonly display_name?: string | null | undefined
  readonly display_description?: string | null | undefined
  readonly metadata?: Record<string, string>
}

/** `display_name` is the older word for `name`. */
export function described({ name, description, display_name, display_description, metadata }: Described) {
  const [newName, newDescription] = [name ?? display_name, description ?? display_description]
  const isNamed = name !== undefined || display_name !== undefined
  const isDescribed = description !== undefined || display_description !== undefined
  return {
    ...(isNamed ? { name: newName ?? null } : {}),
    ...(isDescribed ? { description: newDescription ?? null } : {}),
    ...(metadata === undefined ? {} : { metadata }),
  }
}
