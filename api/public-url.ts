import type { FastifyRequest } from 'fastify'

/** `http://127.0.0.1:8780`: what links in answers begin with. The configured URL, else the host that the request named (which guards.ts has checked). */
export function publicUrlOf({ publicUrl }: { publicUrl?: string }, request: FastifyRequest): string {
  return publicUrl ?? `${request.protocol}://${request.host}`
}
