import { z } from 'zod'
import { requestCollection } from '../../database/requests/backups.ts'
import { requestImport } from '../../database/requests/import-target.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept } from './answers.ts'
import { ERRORS, PLACE } from './fields.ts'
import { ACCEPTED } from './schemas.ts'

const COLLECT = z
  .strictObject({
    dryRun: z.boolean().exactOptional().describe('Delete nothing; the result says what would be deleted'),
    force: z
      .boolean()
      .exactOptional()
      .describe('Delete it even when it is a suspiciously large share of everything in the target'),
  })
  .meta({ id: 'CollectTarget' })

export function targetRoutes(app: App, context: ApiContext): void {
  app.post(
    '/targets/:name/collect',
    {
      config: { rule: 'admin' },
      schema: {
        tags: ['targets'],
        summary: 'Remove from a target what no backup needs any more',
        params: z.strictObject({ name: PLACE }),
        body: COLLECT.nullish(),
        response: { 202: ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const wanted = { ...request.params, ...request.body }
      const accepted = await requestCollection(context.database, actor, context.places, wanted)
      return reply.code(202).send({ operation: await accept(context, actor, accepted) })
    },
  )
  app.post(
    '/targets/:name/import',
    {
      config: { rule: 'admin' },
      schema: {
        tags: ['targets'],
        summary: 'Enter backups that the target has, of every project, and the database does not know',
        params: z.strictObject({ name: PLACE }),
        response: { 202: ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestImport(context.database, actor, context.places, request.params.name)
      return reply.code(202).send({ operation: await accept(context, actor, accepted) })
    },
  )
}
