import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import {
  addMember,
  answerMember,
  type ImageMember,
  listMembers,
  removeMember,
  showMember,
} from '../../database/images/members.ts'
import type { ApiContext, App } from '../context.ts'
import { jsonBody } from './bodies.ts'
import { glanceTime } from './image-view.ts'
import { imageIdOf, readerOf } from './reader.ts'

const PROJECT = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, { error: 'to be the id of a project' })
const NEW = z.object({ member: PROJECT })
const ANSWER = z.object({ status: z.enum(['pending', 'accepted', 'rejected']) })

/** Whom a shared image is shared with. */
export function memberRoutes(app: App, { database }: ApiContext): void {
  app.get('/v2/images/:id/members', async (request) => ({
    members: (await listMembers(database, readerOf(request), imageIdOf(request))).map(memberView),
    schema: '/v2/schemas/members',
  }))
  app.post('/v2/images/:id/members', async (request) => {
    const { member } = jsonBody(request, NEW)
    const key = { imageId: imageIdOf(request), memberId: member }
    return memberView(await addMember(database, readerOf(request), key))
  })
  app.get('/v2/images/:id/members/:member', async (request) =>
    memberView(await showMember(database, readerOf(request), keyOf(request))),
  )
  app.put('/v2/images/:id/members/:member', async (request) => {
    const { status } = jsonBody(request, ANSWER)
    return memberView(await answerMember(database, readerOf(request), { ...keyOf(request), status }))
  })
  app.delete('/v2/images/:id/members/:member', async (request, reply) => {
    await removeMember(database, readerOf(request), keyOf(request))
    return reply.code(204).send()
  })
}

function keyOf(request: FastifyRequest): { imageId: string; memberId: string } {
  const { member: memberId = '' } = request.params as { member?: string }
  return { imageId: imageIdOf(request), memberId }
}

function memberView({ imageId, memberId, status, createdAt, updatedAt }: ImageMember) {
  return {
    image_id: imageId,
    member_id: memberId,
    status,
    created_at: glanceTime(createdAt),
    updated_at: glanceTime(updatedAt),
    schema: '/v2/schemas/member',
  }
}
