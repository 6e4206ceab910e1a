import type { FastifyRequest } from 'fastify'
import { isUuid } from '../../domain/identifiers.ts'
import { RequestError } from '../../domain/errors.ts'
import type { ImageReader } from '../../database/images/visible.ts'
import type { Actor } from '../../database/operations/accept.ts'
import { actorOf } from '../actor.ts'
import { callerOf } from '../identity/caller.ts'

export function readerOf(request: FastifyRequest): ImageReader {
  const { projectId, isAdmin } = callerOf(request)
  return { projectId, isAdmin }
}

/** Who asks, in the project whose image it is: an administrator's work on it is the owner's. */
export function actorFor(request: FastifyRequest, image: { projectId: string }): Actor {
  return { ...actorOf(request), projectId: image.projectId }
}

/** Throws RequestError 404 for what can be no image's id. */
export function imageIdOf(request: FastifyRequest): string {
  const { id = '' } = request.params as { id?: string }
  if (isUuid(id.toLowerCase())) return id.toLowerCase()
  throw new RequestError(404, 'imageNotFound', `No image found with ID ${id}`)
}
