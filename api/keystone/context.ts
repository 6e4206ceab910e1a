import type { FastifyRequest } from 'fastify'
import type { Database } from '../../database/open.ts'
import { publicUrlOf } from '../public-url.ts'
import type { Linked } from './views.ts'

export interface KeystoneContext {
  readonly database: Database
  readonly publicUrl?: string
}

export function linkedTo(context: KeystoneContext, request: FastifyRequest): Linked {
  return { identityUrl: `${publicUrlOf(context, request)}/identity` }
}

/** The URL that was asked, for `links.self`. */
export function selfOf(context: KeystoneContext, request: FastifyRequest): string {
  return `${publicUrlOf(context, request)}${request.url}`
}
