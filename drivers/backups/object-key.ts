import { DriverError } from '../../domain/errors.ts'

const KEY = /^[a-z0-9_-][a-z0-9._-]*(\/[a-z0-9_-][a-z0-9._-]*)*$/
/** A prefix may end anywhere in a key. */
const PREFIX = /^([a-z0-9_-][a-z0-9._-]*(\/[a-z0-9_-][a-z0-9._-]*)*\/?)?$/
const LENGTH_MAX = 512

/** No segment begins with a dot: none can leave the target, or be taken for the target's own files. */
export function checkKey(key: string): void {
  check(KEY, key)
}

export function checkPrefix(prefix: string): void {
  check(PREFIX, prefix)
}

function check(pattern: RegExp, key: string): void {
  if (pattern.test(key) && key.length <= LENGTH_MAX) return
  throw new DriverError(
    'invalid',
    `Expected an object key of [a-z0-9._-] segments, got ${JSON.stringify(key)}`,
  )
}
