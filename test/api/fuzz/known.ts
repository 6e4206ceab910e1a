import fc from 'fast-check'
import { MiB } from '../../../domain/sizes.ts'
import type { Known } from './values.ts'

/** By the name of a field or a parameter. */
const KINDS: Readonly<Record<string, string>> = {
  ...{ volumeId: 'volumes', volume_id: 'volumes', sourceVolumeId: 'volumes', source_volid: 'volumes' },
  ...{ snapshotId: 'snapshots', snapshot_id: 'snapshots', backupId: 'backups', backup_id: 'backups' },
  ...{ imageId: 'images', image_id: 'images', imageRef: 'images', attachment_id: 'attachments' },
  ...{ volume_type: 'volume_types', new_type: 'volume_types', operationId: 'operations' },
  ...{ credentialId: 'application_credentials', taskId: 'tasks' },
}

const ALWAYS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  ...{ backend: fc.constant('local'), target: fc.constantFrom('disk', 's3'), store: fc.constant('files') },
  ...{ host: fc.constant('volflow@local#local'), container: fc.constantFrom('disk', null) },
  ...{
    sizeBytes: fc.integer({ min: 1, max: 8 }).map((mib) => mib * MiB),
    size: fc.integer({ min: 1, max: 3 }),
  },
  ...{ new_size: fc.integer({ min: 2, max: 9 }), availability_zone: fc.constantFrom('nova', null) },
  ...{ limit: fc.integer({ min: 1, max: 20 }), diskFormat: fc.constantFrom('raw', 'qcow2') },
  ...{ project: fc.constantFrom('fuzz', 'other'), member: fc.constantFrom('other', 'third') },
  ...{
    tag: fc.constantFrom('a', 'b'),
    key: fc.constantFrom('a', 'b'),
    number: fc.constant(1),
    stores: fc.constant(['second']),
  },
  ...{
    url: fc.constant('http://127.0.0.1:9/'),
    guest: fc.constant('guest'),
    multiattach: fc.constant(false),
  },
  ...{
    meta: fc.constant({ a: 'b' }),
    metadata: fc.constantFrom({}, { a: 'b' }),
    connector: fc.constant({ host: 'h' }),
  },
  ...{ group_id: fc.constant(null), consistencygroup_id: fc.constant(null) },
}

/** What `:id` or `:name` is in the paths of these. */
const NAMED: Readonly<Record<string, fc.Arbitrary<string>>> = {
  ...{ targets: fc.constantFrom('disk', 's3'), backends: fc.constant('local'), stores: fc.constant('files') },
  ...{ 'os-quota-sets': fc.constant('fuzz'), 'os-quota-class-sets': fc.constant('default') },
  ...{ 'default-types': fc.constant('fuzz'), capabilities: fc.constant('volflow@local') },
  'os-hosts': fc.constant('volflow@local'),
}

/** The parts of answers by which later requests find something. */
export class Pool {
  readonly #ids = new Map<string, string[]>()

  /** Of an answer to this route. */
  learn(route: string, body: unknown): void {
    if (typeof body !== 'object' || body === null) return
    this.#note(collectionOf(route), body)
    for (const [name, value] of Object.entries(body)) {
      if (Array.isArray(value))
        for (const item of value as unknown[]) this.#note(name === 'items' ? collectionOf(route) : name, item)
      else this.#note(`${name}s`, value)
    }
  }

  /** Newer ones are likelier, for older ones may be gone. */
  ids(kind: string): fc.Arbitrary<string> | undefined {
    const ids = this.#ids.get(kind)
    return ids === undefined
      ? undefined
      : fc.nat({ max: 19 }).map((back) => ids.at(-1 - (back % ids.length)) ?? '')
  }

  readonly known: Known = (name, plain) => mostly(ALWAYS[name] ?? this.ids(KINDS[name] ?? ''), plain)

  /** The value of a part of a path such as `:id`. */
  parameter(route: string, name: string): fc.Arbitrary<unknown> {
    const text = fc.oneof(fc.uuid(), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }))
    const collection = collectionOf(route)
    if (name === 'id' || name === 'name') return mostly(NAMED[collection] ?? this.ids(collection), text)
    return this.known(name, text)
  }

  #note(kind: string, item: unknown): void {
    if (typeof item !== 'object' || item === null || !('id' in item) || typeof item.id !== 'string') return
    const ids = this.#ids.get(kind) ?? []
    if (ids.includes(item.id)) return
    ids.push(item.id)
    this.#ids.set(kind, ids)
  }
}

function mostly(
  meant: fc.Arbitrary<unknown> | undefined,
  other: fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  return meant === undefined
    ? other
    : fc.oneof({ weight: 9, arbitrary: meant }, { weight: 1, arbitrary: other })
}

const COLLECTIONS: Readonly<Record<string, string>> = {
  types: 'volume_types',
  'os-volume-transfer': 'transfers',
}

/** `/volume/v3/types/:id/action` -> `volume_types` */
function collectionOf(route: string): string {
  const [, , , collection = ''] = route.split('/')
  return COLLECTIONS[collection] ?? collection.replace('volume-transfers', 'transfers')
}
