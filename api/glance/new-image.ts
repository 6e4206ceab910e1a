import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { RequestError } from '../../domain/errors.ts'
import { isUuid } from '../../domain/identifiers.ts'
import type { ImageChange } from '../../database/images/change.ts'
import type { ImageRequest } from '../../database/requests/new-image.ts'
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
import { storeHeader } from './store-header.ts'

const BODY = z.record(z.string(), z.unknown())

/** What the body of a creation asks for, and for whose project. Throws RequestError 400 or 403. */
export function newImageOf(
  request: FastifyRequest,
  caller: Caller,
): { image: ImageRequest; projectId: string } {
  const properties = new Map<string, string>()
  let id: string | undefined
  let change: ImageChange = {}
  for (const [name, value] of Object.entries(jsonBody(request, BODY))) {
    if (name === 'id') {
      id = idOf(value)
      continue
    }
    refuseReadOnly(name)
    refuseAdminOnly(name, value, caller)
    if (isField(name)) change = { ...change, ...fieldChange(name, value) }
    else properties.set(name, propertyValue(name, value))
  }
  const store = storeHeader(request)
  return {
    projectId: change.projectId ?? caller.projectId,
    image: {
      ...(id === undefined ? {} : { id }),
      ...(store === undefined ? {} : { store }),
      name: change.name ?? null,
      diskFormat: change.diskFormat ?? null,
      containerFormat: change.containerFormat ?? null,
      // Glance's default since 2.5.
      visibility: change.visibility ?? 'shared',
      protected: change.protected === 1,
      hidden: change.osHidden === 1,
      minDiskGiB: change.minDisk ?? 0,
      minRamMiB: change.minRam ?? 0,
      tags: change.tags ?? [],
      metadata: fewProperties(properties),
    },
  }
}

function idOf(value: unknown): string {
  if (typeof value === 'string' && isUuid(value.toLowerCase())) return value.toLowerCase()
  throw new RequestError(400, 'invalidRequest', `Expected id to be a UUID, got ${quoted(value)}.`)
}
