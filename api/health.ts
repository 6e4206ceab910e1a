import { z } from 'zod'
import type { ApiContext, App } from './context.ts'

const READINESS = z
  .object({ ready: z.boolean(), checks: z.record(z.string(), z.string()) })
  .meta({ id: 'Readiness' })

/** `/healthz`: the process answers. `/readyz`: what it needs answers too. */
export function healthRoutes(app: App, { isReady }: ApiContext): void {
  app.get(
    '/healthz',
    {
      schema: {
        summary: 'Is the process alive?',
        tags: ['service'],
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async () => ({ ok: true as const }),
  )
  app.get(
    '/readyz',
    {
      schema: {
        summary: 'Can it serve?',
        tags: ['service'],
        response: { 200: READINESS, 503: READINESS },
      },
    },
    async (_request, reply) => {
      const readiness = await isReady()
      return reply.code(readiness.ready ? 200 : 503).send({ ...readiness, checks: { ...readiness.checks } })
    },
  )
}
