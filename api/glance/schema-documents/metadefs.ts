import { LINK, listSchema, TEXT, TIME } from './parts.ts'

const NAME = { type: 'string', maxLength: 80 } as const
const FREE_OBJECT = { type: 'object', additionalProperties: true } as const

const NAMESPACE = {
  name: 'namespace',
  required: ['namespace'],
  additionalProperties: false,
  properties: {
    namespace: { ...NAME, description: 'The unique name of the namespace' },
    display_name: { ...NAME, description: 'As users see it' },
    description: { type: 'string', maxLength: 500 },
    visibility: { type: 'string', enum: ['public', 'private'] },
    protected: { type: 'boolean' },
    owner: TEXT,
    created_at: TIME,
    updated_at: TIME,
    schema: LINK,
    self: LINK,
    resource_type_associations: { type: 'array', items: FREE_OBJECT },
    properties: FREE_OBJECT,
    objects: { type: 'array', items: FREE_OBJECT },
    tags: { type: 'array', items: FREE_OBJECT },
  },
} as const

const RESOURCE_TYPE = {
  name: 'resource_type_association',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: { ...NAME, description: 'A type of resources, such as OS::Glance::Image' },
    prefix: { ...NAME, description: 'What names of properties begin with on these resources' },
    properties_target: { ...NAME, description: 'Which properties are meant, where there are several kinds' },
    created_at: TIME,
    updated_at: TIME,
  },
} as const

const OBJECT = {
  name: 'object',
  required: ['name'],
  properties: {
    name: NAME,
    description: { type: 'string' },
    required: { type: 'array', items: { type: 'string' } },
    properties: FREE_OBJECT,
    created_at: TIME,
    updated_at: TIME,
    schema: LINK,
    self: LINK,
  },
} as const

const PROPERTY = {
  name: 'property',
  required: ['name', 'title', 'type'],
  additionalProperties: true,
  properties: {
    name: NAME,
    title: { type: 'string' },
    description: { type: 'string' },
    type: { type: 'string' },
  },
} as const

const TAG = {
  name: 'tag',
  required: ['name'],
  properties: { name: NAME, created_at: TIME, updated_at: TIME },
} as const

/** Of definitions of metadata: glanceclient wants them before its first command, and Horizon for its forms. */
export const METADEF_SCHEMAS: Readonly<Record<string, object>> = {
  'metadefs/namespace': NAMESPACE,
  'metadefs/namespaces': listSchema('namespaces', NAMESPACE),
  'metadefs/resource_type': RESOURCE_TYPE,
  'metadefs/resource_types': listSchema('resource_type_associations', RESOURCE_TYPE),
  'metadefs/object': OBJECT,
  'metadefs/objects': listSchema('objects', OBJECT),
  'metadefs/property': PROPERTY,
  'metadefs/properties': listSchema('properties', PROPERTY),
  'metadefs/tag': TAG,
  'metadefs/tags': listSchema('tags', TAG),
}
