import { z } from 'zod'
import { changeExtraSpecs } from '../../../database/cinder/type-changes.ts'
import type { ExtraSpecs } from '../../../database/cinder/types.ts'
import { RequestError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import type { ApiContext, App } from '../../context.ts'
import { quoted } from '../../validation-message.ts'
import { Fault } from '../fault.ts'
import { ID_PARAMS, KEY_PARAMS, META_VALUE, METADATA } from '../fields.ts'
import { bounded } from '../metadata.ts'
import { typeView, visibleType } from './view.ts'

const SPECS = z.strictObject({ extra_specs: METADATA })
const ONE = z.record(z.string().min(1).max(LIMITS.nameLengthMax), META_VALUE)

const ADMIN = { rule: 'admin' } as const
const tags = ['types']

export function extraSpecRoutes(app: App, context: ApiContext): void {
  const path = '/types/:id/extra_specs'
  app.get(path, { schema: { tags, summary: 'Show extra specs', params: ID_PARAMS } }, async (request) => ({
    extra_specs: typeView(request, await visibleType(context, request)).extra_specs,
  }))
  app.post(
    path,
    { config: ADMIN, schema: { tags, summary: 'Set extra specs', params: ID_PARAMS, body: SPECS } },
    async (request) => {
      const added = checkedKeys(request.body.extra_specs)
      await changeExtraSpecs(context.database, request.params.id, (specs) => bounded({ ...specs, ...added }))
      return { extra_specs: added }
    },
  )
  specRoutes(app, context)
}

function specRoutes(app: App, context: ApiContext): void {
  const path = '/types/:id/extra_specs/:key'
  app.get(path, { schema: { tags, summary: 'Show one extra spec', params: KEY_PARAMS } }, async (request) => {
    const { extra_specs: specs } = typeView(request, await visibleType(context, request))
    const { id, key } = request.params
    return { [key]: requireSpec(specs, id, key) }
  })
  app.put(
    path,
    { config: ADMIN, schema: { tags, summary: 'Set one extra spec', params: KEY_PARAMS, body: ONE } },
    async (request) => {
      const { id, key } = request.params
      const { body } = request
      if (!Object.hasOwn(body, key) || Object.keys(body).length !== 1)
        throw new Fault(400, 'Expected the one key of the path in the body.')
      const added = checkedKeys(body)
      await changeExtraSpecs(context.database, id, (specs) => bounded({ ...specs, ...added }))
      return added
    },
  )
  app.delete(
    path,
    { config: ADMIN, schema: { tags, summary: 'Remove one extra spec', params: KEY_PARAMS } },
    async (request, reply) => {
      const { id, key } = request.params
      await changeExtraSpecs(context.database, id, (specs) => {
        requireSpec(specs, id, key)
        return Object.fromEntries(Object.entries(specs).filter(([name]) => name !== key))
      })
      return reply.code(202).send()
    },
  )
}

/** Cinder's rule for them. */
const KEY = /^[\w\-:. ]+$/

function checkedKeys(specs: ExtraSpecs): ExtraSpecs {
  const wrong = Object.keys(specs).find((key) => !KEY.test(key))
  if (wrong === undefined) return specs
  throw new Fault(
    400,
    `Key names can only contain alphanumeric characters, underscores, periods, colons and hyphens, got ${quoted(wrong)}.`,
  )
}

function requireSpec(specs: ExtraSpecs, id: string, key: string): string {
  const value = Object.hasOwn(specs, key) ? specs[key] : undefined
  if (value !== undefined) return value
  throw new RequestError(404, 'extraSpecNotFound', `Volume Type ${id} has no extra specs with key ${key}.`)
}
