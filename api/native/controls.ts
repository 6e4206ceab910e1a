import { z } from 'zod'
import { changeControls, type ControlScope, readControls } from '../../database/operations/controls.ts'
import { RequestError } from '../../domain/errors.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { CONTROLS, ERRORS, PLACE } from './fields.ts'
import { BACKEND, BACKEND_LIST, PROJECT } from './schemas.ts'

const NOTHING = { pausedAt: null, rateLimitBytes: null }

/** Pause and rate of everything on a backend, and pause of everything in a project. */
export function controlRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  const find = async ({ scope, name }: ControlScope) =>
    (await readControls(database, scope)).find((control) => control.name === name) ?? NOTHING
  const backendView = async (name: string) => {
    const { pausedAt, rateLimitBytes } = await find({ scope: 'backend', name })
    return { name, paused: pausedAt !== null, rateLimitBytes }
  }
  app.get(
    '/backends',
    {
      schema: {
        tags: ['backends'],
        summary: 'List the places for volumes',
        response: { 200: BACKEND_LIST, ...ERRORS },
      },
    },
    async () => ({ items: await Promise.all(places.backends.map(backendView)) }),
  )
  app.patch(
    '/backends/:name',
    {
      config: { rule: 'admin' },
      schema: {
        tags: ['backends'],
        summary: 'Pause and resume all operations on a backend, or limit the rate that they share',
        params: z.strictObject({ name: PLACE }),
        body: CONTROLS,
        response: { 200: BACKEND, ...ERRORS },
      },
    },
    async (request) => {
      const { name } = request.params
      if (!places.backends.includes(name)) {
        const known = places.backends.join(', ')
        throw new RequestError(404, 'backendNotFound', `Expected a backend of ${known}, got ${name}.`)
      }
      await changeControls(database, { scope: 'backend', name }, request.body)
      return backendView(name)
    },
  )
  projectRoutes(app, context)
}

function projectRoutes(app: App, { database }: ApiContext): void {
  app.patch(
    '/project',
    {
      schema: {
        tags: ['project'],
        summary: "Pause and resume all of the project's operations",
        body: z.strictObject({ paused: z.boolean() }),
        response: { 200: PROJECT, ...ERRORS },
      },
    },
    async (request) => {
      const { projectId } = actorOf(request)
      await changeControls(database, { scope: 'project', name: projectId }, request.body)
      return { id: projectId, paused: request.body.paused }
    },
  )
}
