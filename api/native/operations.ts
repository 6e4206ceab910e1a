import { z } from 'zod'
import { changeOperation } from '../../database/operations/controls.ts'
import { listOperations, requireOperation } from '../../database/operations/read.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { pageOf } from './answers.ts'
import { CONTROLS, ERRORS, ID, ID_PARAMS, PAGE } from './fields.ts'
import { ACCEPTED, KIND, OPERATION, OPERATION_PAGE, STATE } from './schemas.ts'
import { operationView } from './views.ts'

const QUERY = z.strictObject({
  ...PAGE,
  state: STATE.exactOptional(),
  kind: KIND.exactOptional(),
  resourceId: ID.exactOptional(),
})

const tags = ['operations']

export function operationRoutes(app: App, context: ApiContext): void {
  const { database } = context
  app.get(
    '/operations',
    {
      schema: {
        tags,
        summary: 'List operations, newest first',
        querystring: QUERY,
        response: { 200: OPERATION_PAGE, ...ERRORS },
      },
    },
    async (request) => {
      const { projectId } = actorOf(request)
      const { query } = request
      return pageOf(
        query.limit,
        (limit) => listOperations(database, { ...query, projectId, limit }),
        operationView,
      )
    },
  )
  app.get(
    '/operations/:id',
    {
      schema: {
        tags,
        summary: 'Show an operation',
        params: ID_PARAMS,
        response: { 200: OPERATION, ...ERRORS },
      },
    },
    async (request) => {
      const { projectId } = actorOf(request)
      return operationView(await requireOperation(database, { operationId: request.params.id, projectId }))
    },
  )
  app.patch(
    '/operations/:id',
    {
      schema: {
        tags,
        summary: 'Pause an operation at its last checkpoint, resume it, or limit its rate, while it runs',
        params: ID_PARAMS,
        body: CONTROLS,
        response: { 200: OPERATION, ...ERRORS },
      },
    },
    async (request) => {
      const { projectId } = actorOf(request)
      const key = { operationId: request.params.id, projectId }
      await changeOperation(database, key, request.body)
      return operationView(await requireOperation(database, key))
    },
  )
  for (const [name, { summary, act }] of Object.entries(actionsOf(context))) {
    app.post(
      `/operations/:id/${name}`,
      { schema: { tags, summary, params: ID_PARAMS, response: { 202: ACCEPTED, ...ERRORS } } },
      async (request, reply) => {
        const { projectId } = actorOf(request)
        const key = { operationId: request.params.id, projectId }
        await act(key)
        return reply.code(202).send({ operation: operationView(await requireOperation(database, key)) })
      },
    )
  }
}

function actionsOf({ cancel, retry, abandon }: ApiContext) {
  return {
    cancel: { summary: 'Cancel an operation: what it did is undone, and then it ends', act: cancel },
    retry: { summary: 'Try now what failed and would be tried again later', act: retry },
    abandon: {
      summary: 'End an operation now, whatever it waits for: what it made is removed when its place answers',
      act: abandon,
    },
  }
}
