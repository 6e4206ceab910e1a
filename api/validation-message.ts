import { LIMITS } from '../domain/limits.ts'

/** One finding of the schema validation, as fastify-type-provider-zod reports it. */
export interface Finding {
  readonly keyword: string
  /** `/metadata/owner` */
  readonly instancePath: string
  readonly message?: string
  readonly params: Readonly<Record<string, unknown>>
}

/** `Expected body field sizeBytes to be a whole number, got "10G".` */
export function validationMessage(part: string, input: unknown, finding: Finding): string {
  const path = finding.instancePath.split('/').filter((name) => name !== '')
  const where = path.length === 0 ? `the ${part}` : `${part} field ${path.join('.')}`
  if (finding.keyword === 'unrecognized_keys') {
    const keys = (finding.params.keys as string[]).map(quoted).join(', ')
    return `Expected no unknown fields in ${where}, got ${keys}.`
  }
  return `Expected ${where} ${expectation(finding)}, got ${quoted(valueAt(input, path))}.`
}

function expectation({ keyword, params, message }: Finding): string {
  switch (keyword) {
    case 'invalid_type':
      return `to be ${article(String(params.expected))}`
    case 'too_small':
      return `to be at least ${String(params.minimum)}${unit(params)}`
    case 'too_big':
      return `to be at most ${String(params.maximum)}${unit(params)}`
    case 'invalid_value':
      return `to be one of ${(params.values as unknown[]).map(String).join(', ')}`
    case 'invalid_format':
      return message ?? 'to have another form'
    default:
      return `to be valid (${message ?? keyword})`
  }
}

function article(type: string): string {
  if (type === 'int') return 'a whole number'
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}

function unit({ origin }: Readonly<Record<string, unknown>>): string {
  return origin === 'string' ? ' characters long' : ''
}

function valueAt(input: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined,
    input,
  )
}

/** For messages: JSON, cut to a readable length. */
export function quoted(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value)
  return text.length > LIMITS.quotedValueLengthMax ? `${text.slice(0, LIMITS.quotedValueLengthMax)}…` : text
}
