import fc from 'fast-check'

/** As much of JSON Schema as zod writes. */
export interface Schema {
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly propertyNames?: Schema
  readonly items?: Schema | boolean
  readonly prefixItems?: readonly Schema[]
  readonly minItems?: number
  readonly maxItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly pattern?: string
  readonly format?: string
}

/** What a value of this name should be, where chance would never find one: an id that exists, the name of a place, a size. Else `plain`. */
export type Known = (name: string, plain: fc.Arbitrary<unknown>) => fc.Arbitrary<unknown>

const SHORT_MAX = 12
const ITEMS_MAX = 3

/** Values that the schema allows, or that are known by name. */
export function valuesOf(schema: Schema, known: Known, name = ''): fc.Arbitrary<unknown> {
  return known(name, plainValues(schema, known, name))
}

function plainValues(schema: Schema, known: Known, name: string): fc.Arbitrary<unknown> {
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => plainValues(choice, known, name)))
  if (schema.allOf?.[0] !== undefined) return plainValues(schema.allOf[0], known, name)
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  if (Array.isArray(schema.type))
    return fc.oneof(...schema.type.map((type: string) => plainValues({ ...schema, type }, known, name)))
  switch (schema.type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1, max: Math.min(schema.maximum ?? 2 ** 31, 2 ** 53 - 1) })
    case 'number':
      return fc.double({ min: schema.minimum ?? -1e9, max: schema.maximum ?? 1e9, noNaN: true })
    case 'string':
      return texts(schema)
    case 'array':
      return arrays(schema, known, name)
    case 'object':
      return objects(schema, known)
    case undefined:
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

/** Unicode, where the pattern only excludes some characters: building those by the pattern gives ASCII alone. */
function texts({ pattern, format, minLength = 0, maxLength = SHORT_MAX }: Schema): fc.Arbitrary<string> {
  if (format === 'uuid') return fc.uuid()
  if (format === 'uri') return fc.webUrl()
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
  const length = { minLength, maxLength: Math.max(minLength, Math.min(maxLength, SHORT_MAX)) }
  const text = fc.string({ unit: 'grapheme', ...length })
  if (pattern === undefined) return text
  const allowed = new RegExp(pattern, 'u')
  return pattern.startsWith('^[^') || pattern.includes('\\p')
    ? text.filter((one) => allowed.test(one))
    : fc.stringMatching(allowed).filter((one) => one.length >= minLength && one.length <= maxLength)
}

function arrays(
  { items, prefixItems, minItems = 0, maxItems = ITEMS_MAX }: Schema,
  known: Known,
  name: string,
): fc.Arbitrary<unknown> {
  if (prefixItems !== undefined) return fc.tuple(...prefixItems.map((item) => valuesOf(item, known, name)))
  const item = typeof items === 'object' ? items : {}
  const maxLength = Math.max(minItems, Math.min(maxItems, ITEMS_MAX))
  return fc.array(valuesOf(item, known, name), { minLength: minItems, maxLength })
}

function objects(schema: Schema, known: Known): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties, propertyNames } = schema
  const fields = Object.entries(properties).map(([name, field]) => {
    const value = valuesOf(field, known, name)
    return [name, required.includes(name) ? value : fc.option(value, { nil: undefined, freq: 2 })] as const
  })
  const named = fc.record(Object.fromEntries(fields)).map(withoutUndefined)
  if (typeof additionalProperties !== 'object' || Object.keys(additionalProperties).length === 0) return named
  const names = propertyNames === undefined ? fc.string({ maxLength: SHORT_MAX }) : texts(propertyNames)
  const others = fc.dictionary(names, valuesOf(additionalProperties, known), { maxKeys: ITEMS_MAX })
  return fc.tuple(named, others).map(([some, more]) => ({ ...more, ...some }))
}

function withoutUndefined(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
