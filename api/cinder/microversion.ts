import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '../../domain/errors.ts'
import { MICROVERSION_MAX, MICROVERSION_MIN, parseMicroversion } from '../../domain/microversions.ts'
import { quoted } from '../validation-message.ts'
import { Fault } from './fault.ts'

const HEADER = 'OpenStack-API-Version'

/** Echoes the microversion of a request. Throws a 406 for one that is not spoken. */
export async function negotiateMicroversion(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  void reply.header('vary', HEADER).header('x-compute-request-id', request.id)
  const given = request.headers['openstack-api-version']
  const minor = parseMicroversion(Array.isArray(given) ? given.join(',') : given)
  if (minor === undefined) {
    throw new Fault(
      406,
      `Expected version 3.${MICROVERSION_MIN} to 3.${MICROVERSION_MAX} of volume in ${HEADER}, got ${quoted(given)}.`,
    )
  }
  void reply.header(HEADER, `volume 3.${minor}`)
}

/** The second number of the request's microversion. */
export function minorOf(request: FastifyRequest): number {
  const given = request.headers['openstack-api-version']
  return parseMicroversion(Array.isArray(given) ? given.join(',') : given) ?? MICROVERSION_MIN
}

/** Throws the 404 that an older Cinder would answer, which does not know the path. */
export function since(request: FastifyRequest, minor: number): void {
  if (minorOf(request) >= minor) return
  throw new RequestError(
    404,
    'versionTooOld',
    `API version 3.${minorOf(request)} is not supported on this method; it came with 3.${minor}.`,
  )
}
