import type { Schema } from './values.ts'

const TEXT: Schema = { type: 'string', maxLength: 255 }
const IMAGE = {
  name: { anyOf: [TEXT, { type: 'null' }] },
  visibility: { enum: ['public', 'community', 'shared', 'private'] },
  protected: { type: 'boolean' },
  os_hidden: { type: 'boolean' },
  tags: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 255 } },
  min_disk: { type: 'integer', minimum: 0, maximum: 100 },
  min_ram: { type: 'integer', minimum: 0, maximum: 100 },
  disk_format: { enum: ['raw', 'qcow2', 'iso', null] },
  container_format: { enum: ['bare', null] },
} satisfies Record<string, Schema>

const PATCH: Schema = {
  type: 'array',
  minItems: 1,
  items: {
    anyOf: [
      ...Object.entries(IMAGE).map(([name, value]) => operation(['replace'], name, value)),
      operation(['add', 'replace'], 'colour', TEXT),
      {
        type: 'object',
        properties: { op: { const: 'remove' }, path: { const: '/colour' } },
        required: ['op', 'path'],
      },
    ],
  },
}

/** The Image API has no schemas at its routes: it reads bodies field by field. What may be in them, Glance's reference says. */
export const IMAGE_BODIES: Readonly<Record<string, Schema>> = {
  'POST /image/v2/images': { type: 'object', properties: IMAGE, additionalProperties: TEXT },
  'PATCH /image/v2/images/:id': PATCH,
  'POST /image/v2/images/:id/members': required({ member: TEXT }),
  'PUT /image/v2/images/:id/members/:member': required({
    status: { enum: ['pending', 'accepted', 'rejected'] },
  }),
  'POST /image/v2/images/:id/import': required({
    method: required({ name: { enum: ['glance-direct', 'copy-image', 'web-download'] } }),
    stores: { type: 'array', items: TEXT },
  }),
  'POST /image/v2/tasks': required({ type: TEXT, input: {} }),
}

function operation(ops: readonly string[], name: string, value: Schema): Schema {
  return required({ op: { enum: ops }, path: { const: `/${name}` }, value })
}

function required(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, required: Object.keys(properties) }
}
