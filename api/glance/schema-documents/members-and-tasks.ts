import { LINK, TIME } from './parts.ts'

export const MEMBER_SCHEMA = {
  name: 'member',
  properties: {
    created_at: TIME,
    image_id: { type: 'string', description: 'The image that is shared' },
    member_id: { type: 'string', description: 'The project that it is shared with' },
    schema: LINK,
    status: {
      type: 'string',
      description: 'What the project says to it',
      enum: ['pending', 'accepted', 'rejected'],
    },
    updated_at: TIME,
  },
} as const

export const TASK_SCHEMA = {
  name: 'task',
  properties: {
    id: { type: 'string' },
    type: { type: 'string', enum: ['import', 'api_image_import'] },
    status: { type: 'string', enum: ['pending', 'processing', 'success', 'failure'] },
    input: { type: ['null', 'object'] },
    result: { type: ['null', 'object'] },
    owner: { type: 'string' },
    message: { type: 'string', description: 'How far it is, or what is wrong' },
    expires_at: { type: ['null', 'string'] },
    created_at: TIME,
    updated_at: TIME,
    self: LINK,
    schema: LINK,
  },
} as const
