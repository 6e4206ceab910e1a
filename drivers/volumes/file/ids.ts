import { DriverError } from '../../../domain/errors.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function isId(name: string): boolean {
  return UUID.test(name)
}

/** Ids become file names, so nothing but a UUID gets through. */
export function checkedId(what: string, id: string): string {
  if (isId(id)) return id
  throw new DriverError(
    'invalid',
    `Expected the ${what} id to be a lower-case UUID, got ${JSON.stringify(id)}`,
  )
}
