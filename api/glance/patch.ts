import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { RequestError } from '../../domain/errors.ts'
import { IMAGE_LIMITS } from '../../domain/image-limits.ts'
import type { ImageChange } from '../../database/images/change.ts'
import type { ImageRecord } from '../../database/images/parts.ts'
import { HttpError } from '../http-error.ts'
import type { Caller } from '../identity/caller.ts'
import { quoted } from '../validation-message.ts'
import { jsonBody } from './bodies.ts'
import {
  fewProperties,
  fieldChange,
  isField,
  propertyValue,
  refuseAdminOnly,
  refuseReadOnly,
} from './fields.ts'

const MEDIA_TYPE = /^application\/openstack-images-v2\.([01])-json-patch(?:;|$)/
const VERBS = ['add', 'replace', 'remove'] as const

interface PatchOperation {
  readonly verb: (typeof VERBS)[number]
  readonly name: string
  readonly value: unknown
}

/**
 * What the patch makes of an image; `add` replaces what there is. Throws HttpError 415, RequestError 400 for what is malformed, 403 for
 * what is not the caller's to change, and, once it is applied, 409 for properties that do not exist.
 */
export function patchOf(request: FastifyRequest, caller: Caller): (image: ImageRecord) => ImageChange {
  const minor = MEDIA_TYPE.exec(request.headers['content-type'] ?? '')?.[1]
  if (minor === undefined) {
    throw new HttpError(
      415,
      'invalidMediaType',
      'Expected content of the type application/openstack-images-v2.1-json-patch.',
    )
  }
  const parse = minor === '0' ? operationOf20 : operationOf21
  const operations = jsonBody(request, z.array(z.unknown()).max(IMAGE_LIMITS.patchOperationsMax)).map(parse)
  for (const { verb, name, value } of operations) {
    refuseReadOnly(name)
    if (verb !== 'remove') refuseAdminOnly(name, value, caller)
  }
  return (image) => applied(image, operations)
}

function applied(image: ImageRecord, operations: readonly PatchOperation[]): ImageChange {
  const before = JSON.parse(image.metadata) as Record<string, string>
  const properties = new Map(Object.entries(before))
  let change: ImageChange = {}
  for (const { verb, name, value } of operations) {
    if (isField(name)) {
      if (verb === 'remove') {
        throw new RequestError(403, 'notRemovable', `Property ${name} may not be removed.`)
      }
      change = { ...change, ...fieldChange(name, value) }
      continue
    }
    if (verb !== 'add' && !properties.has(name)) {
      throw new RequestError(409, 'propertyMissing', `Property ${name} does not exist.`)
    }
    if (verb === 'remove') properties.delete(name)
    else properties.set(name, propertyValue(name, value))
  }
  return { ...change, metadata: fewProperties(properties) }
}

/** `{"op": "replace", "path": "/name", "value": "debian"}` */
const V21 = z.object({ op: z.enum(VERBS), path: z.string(), value: z.unknown().optional() })

function operationOf21(input: unknown): PatchOperation {
  const parsed = V21.safeParse(input)
  if (!parsed.success) throw malformed(input)
  const { op, path, value } = parsed.data
  return operation(op, path, { value, isGiven: Object.hasOwn(input as object, 'value') })
}

/** `{"replace": "/name", "value": "debian"}` */
function operationOf20(input: unknown): PatchOperation {
  const parsed = z.record(z.string(), z.unknown()).safeParse(input)
  if (!parsed.success) throw malformed(input)
  const verbs = VERBS.filter((verb) => Object.hasOwn(parsed.data, verb))
  const [verb] = verbs
  if (verb === undefined || verbs.length > 1) throw malformed(input)
  const path = parsed.data[verb]
  if (typeof path !== 'string') throw malformed(input)
  return operation(verb, path, { value: parsed.data.value, isGiven: Object.hasOwn(parsed.data, 'value') })
}

function operation(
  verb: PatchOperation['verb'],
  path: string,
  { value, isGiven }: { value: unknown; isGiven: boolean },
): PatchOperation {
  if (!/^\/[^/]+$/.test(path) || /~(?![01])/.test(path)) {
    if (/^\/locations(?:\/|$)/.test(path)) refuseReadOnly('locations')
    throw new RequestError(
      400,
      'invalidRequest',
      `Expected the path of a patch to be a slash and a name, got ${quoted(path)}.`,
    )
  }
  if (verb !== 'remove' && !isGiven) {
    throw new RequestError(400, 'invalidRequest', `Expected a value to ${verb} ${path}, got none.`)
  }
  return { verb, name: path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~'), value }
}

function malformed(input: unknown): RequestError {
  return new RequestError(
    400,
    'invalidRequest',
    `Expected operations of a JSON patch (add, replace or remove, with a path and a value), got ${quoted(input)}.`,
  )
}
