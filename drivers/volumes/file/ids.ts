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

/** A name in a folder, and in no other: none of ours begins with a dot. */
export function checkedName(name: string): string {
  if (/^[^./][^/]*$/.test(name)) return name
  throw new DriverError('invalid', `Expected a name without a folder, got ${JSON.stringify(name)}`)
}
