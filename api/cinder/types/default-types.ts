import { z } from 'zod'
import { setDefaultType } from '../../../database/cinder/type-changes.ts'
import { defaultTypes } from '../../../database/cinder/types.ts'
import type { ApiContext, App } from '../../context.ts'
import { Fault } from '../fault.ts'
import { NAME_PARAMS, REFERENCE } from '../fields.ts'
import { since } from '../microversion.ts'

const SET = z.strictObject({ default_type: z.strictObject({ volume_type: REFERENCE }) })
const SINCE = 62
const ADMIN = { rule: 'admin' } as const
const tags = ['types']

/** Which type the volumes of a project have that name none. */
export function defaultTypeRoutes(app: App, context: ApiContext): void {
  const { database } = context
  const list = { config: ADMIN, schema: { tags, summary: 'List default types of projects' } }
  for (const path of ['/default-types', '/default-types/'])
    app.get(path, list, async (request) => {
      since(request, SINCE)
      return { default_types: (await defaultTypes(database)).map(view) }
    })
  const one = (summary: string) => ({ config: ADMIN, schema: { tags, summary, params: NAME_PARAMS } })
  app.get('/default-types/:name', one('Show the default type of a project'), async (request) => {
    since(request, SINCE)
    const { name } = request.params
    const found = (await defaultTypes(database)).find(({ projectId }) => projectId === name)
    if (found === undefined) throw new Fault(404, `Default type for project ${name} could not be found.`)
    return { default_type: view(found) }
  })
  app.put(
    '/default-types/:name',
    { config: ADMIN, schema: { tags, summary: 'Set it', params: NAME_PARAMS, body: SET } },
    async (request) => {
      since(request, SINCE)
      const projectId = request.params.name
      const { id } = await setDefaultType(database, projectId, request.body.default_type.volume_type)
      return { default_type: view({ projectId, volumeTypeId: id }) }
    },
  )
  app.delete('/default-types/:name', one('Unset it'), async (request, reply) => {
    since(request, SINCE)
    const { name } = request.params
    const isSet = (await defaultTypes(database)).some(({ projectId }) => projectId === name)
    if (!isSet) throw new Fault(404, `Default type for project ${name} could not be found.`)
    await database.deleteFrom('defaultVolumeTypes').where('projectId', '=', name).execute()
    return reply.code(204).send()
  })
}

function view({ projectId, volumeTypeId }: { projectId: string; volumeTypeId: string }) {
  return { project_id: projectId, volume_type_id: volumeTypeId }
}
