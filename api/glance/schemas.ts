import { RequestError } from '../../domain/errors.ts'
import type { App } from '../context.ts'
import { IMAGE_SCHEMA } from './schema-documents/image.ts'
import { METADEF_SCHEMAS } from './schema-documents/metadefs.ts'
import { listSchema } from './schema-documents/parts.ts'
import { MEMBER_SCHEMA, TASK_SCHEMA } from './schema-documents/members-and-tasks.ts'

const SCHEMAS: Readonly<Record<string, object>> = {
  image: IMAGE_SCHEMA,
  images: listSchema('images', IMAGE_SCHEMA),
  member: MEMBER_SCHEMA,
  members: { ...listSchema('members', MEMBER_SCHEMA), links: [{ href: '{schema}', rel: 'describedby' }] },
  task: TASK_SCHEMA,
  tasks: listSchema('tasks', TASK_SCHEMA),
  ...METADEF_SCHEMAS,
}

/** JSON schemas, by which glanceclient makes its options and checks answers; and definitions of metadata, of which there are none. */
export function schemaRoutes(app: App): void {
  app.get('/v2/schemas/*', async (request) => {
    const name = (request.params as { '*': string })['*']
    const schema = Object.hasOwn(SCHEMAS, name) ? SCHEMAS[name] : undefined
    if (schema !== undefined) return schema
    throw new RequestError(404, 'schemaNotFound', `There is no schema ${name}.`)
  })
  app.get('/v2/metadefs/namespaces', async () => ({
    namespaces: [],
    first: '/v2/metadefs/namespaces',
    schema: '/v2/schemas/metadefs/namespaces',
  }))
  app.get('/v2/metadefs/resource_types', async () => ({ resource_types: [] }))
  app.get('/v2/metadefs/namespaces/*', async (request) => {
    const name = (request.params as { '*': string })['*']
    throw new RequestError(
      404,
      'namespaceNotFound',
      `Metadata definition namespace ${name} could not be found.`,
    )
  })
}
