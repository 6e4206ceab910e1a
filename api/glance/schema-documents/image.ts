import { DISK_FORMATS } from '../../../domain/disk-formats.ts'
import { CONTAINER_FORMATS, VISIBILITIES } from '../fields.ts'
import { LINK, TEXT, TIME } from './parts.ts'

const UUID = '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$'
const SIZE = { type: ['null', 'integer'], readOnly: true } as const
const HASH = { type: ['null', 'string'], readOnly: true } as const

/** Properties of which the Image API does not know the meaning, but its clients have options for them. */
const COMMON_PROPERTIES = {
  kernel_id: { type: ['null', 'string'], pattern: UUID, is_base: false },
  ramdisk_id: { type: ['null', 'string'], pattern: UUID, is_base: false },
  instance_uuid: { type: 'string', is_base: false },
  architecture: { type: 'string', description: 'Processor that the system is made for', is_base: false },
  os_distro: { type: 'string', description: 'Name of the distribution, in lower case', is_base: false },
  os_version: { type: 'string', description: 'Version of the distribution', is_base: false },
}

export const IMAGE_SCHEMA = {
  name: 'image',
  properties: {
    id: { type: 'string', description: 'A UUID', pattern: UUID },
    name: { ...TEXT, description: 'Name, which need not be unique' },
    status: {
      type: 'string',
      description: 'Status of the image',
      enum: [
        ...['queued', 'saving', 'active', 'killed', 'deleted', 'uploading', 'importing'],
        ...['pending_delete', 'deactivated'],
      ],
      readOnly: true,
    },
    visibility: { type: 'string', description: 'Who may see it', enum: VISIBILITIES },
    protected: { type: 'boolean', description: 'It cannot be deleted' },
    os_hidden: { type: 'boolean', description: 'Lists leave it out unless they are asked for hidden ones' },
    checksum: { ...HASH, description: 'md5 of the file as uploaded', maxLength: 32 },
    os_hash_algo: { ...HASH, description: 'Algorithm of os_hash_value', maxLength: 64 },
    os_hash_value: { ...HASH, description: 'Hash of the file as uploaded, hexadecimal', maxLength: 128 },
    owner: { ...TEXT, description: 'Project that owns it' },
    size: { ...SIZE, description: 'Of the file as uploaded, in bytes' },
    virtual_size: { ...SIZE, description: 'Of the disk inside, in bytes' },
    container_format: { type: ['null', 'string'], enum: [null, ...CONTAINER_FORMATS] },
    disk_format: { type: ['null', 'string'], enum: [null, ...DISK_FORMATS] },
    created_at: TIME,
    updated_at: TIME,
    tags: { type: 'array', items: { type: 'string', maxLength: 255 }, description: 'Words to find it by' },
    min_ram: { type: 'integer', description: 'Memory that a machine needs to boot it, in MB' },
    min_disk: { type: 'integer', description: 'Disk that a machine needs to boot it, in GB' },
    self: LINK,
    file: LINK,
    schema: LINK,
    ...COMMON_PROPERTIES,
  },
  additionalProperties: { type: 'string' },
  links: [
    { rel: 'self', href: '{self}' },
    { rel: 'enclosure', href: '{file}' },
    { rel: 'describedby', href: '{schema}' },
  ],
} as const
