/** `POST …/{id}/action` with a body of one key: the name of what shall be done, and what it needs. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Rule } from '../../domain/policy.ts'
import type { ApiContext, App } from '../context.ts'
import { requireAllowed } from '../identity/caller.ts'
import { type Finding, quoted, validationMessage } from '../validation-message.ts'
import { Fault } from './fault.ts'
import { ID_PARAMS } from './fields.ts'
import { minorOf } from './microversion.ts'

export interface ActionCall {
  readonly context: ApiContext
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly id: string
}

/** What is done, with parameters that were checked. */
export interface Action {
  readonly body: z.ZodType
  /** Default: the oldest microversion. */
  readonly since?: number
  /** Default: `write`. */
  readonly rule?: Rule
  readonly run: (call: ActionCall, params: unknown) => Promise<FastifyReply>
}

/** Ties the type of the parameters to their schema. */
export function action<T extends z.ZodType>(
  body: T,
  run: (call: ActionCall, params: z.infer<T>) => Promise<FastifyReply>,
  options: Pick<Action, 'since' | 'rule'> = {},
): Action {
  return { body, run: (call, params) => run(call, params as z.infer<T>), ...options }
}

/** For actions without parameters: clients send null, `{}` or an empty text. */
export const NOTHING = z.union([z.null(), z.literal(''), z.looseObject({})])

export function actionRoute(
  app: App,
  context: ApiContext,
  collection: string,
  actions: Readonly<Record<string, Action>>,
): void {
  const choices = Object.entries(actions).map(([name, { body }]) => z.strictObject({ [name]: body }))
  app.post(
    `/${collection}/:id/action`,
    {
      schema: {
        tags: [collection],
        summary: `Do something with one of ${collection}`,
        params: ID_PARAMS,
        body: z.union(choices),
      },
      // The description is for readers: which of the bodies it is, the action's name says, and its message shall be about that one.
      validatorCompiler: () => (value: unknown) => ({ value }),
    },
    async (request, reply) => {
      const { id } = request.params
      const { name, params } = named(request.body)
      const found = Object.hasOwn(actions, name) ? actions[name] : undefined
      if (found === undefined || minorOf(request) < (found.since ?? 0))
        throw new Fault(400, `There is no such action: ${quoted(name)}.`)
      requireAllowed(request, found.rule ?? 'write')
      return found.run({ context, request, reply, id }, checked(found.body, name, params))
    },
  )
}

function named(body: unknown): { name: string; params: unknown } {
  const entries = typeof body === 'object' && body !== null ? Object.entries(body) : []
  const [entry] = entries
  if (entry === undefined || entries.length !== 1)
    throw new Fault(400, 'Expected a body with the name of one action.')
  return { name: entry[0], params: entry[1] as unknown }
}

export function checked<T extends z.ZodType>(schema: T, name: string, value: unknown): z.infer<T> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const messages = result.error.issues.map(({ path, message, code, ...params }) => {
    const finding: Finding = {
      keyword: code,
      instancePath: path.map((part) => `/${String(part)}`).join(''),
      message,
      params,
    }
    return validationMessage(`body of ${name}`, value, finding)
  })
  throw new Fault(400, messages.join(' '))
}
