import { DriverError, type DriverErrorKind } from '../domain/errors.ts'

const KINDS: Readonly<Record<string, DriverErrorKind>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  EBUSY: 'busy',
  EACCES: 'invalid',
  EPERM: 'invalid',
  EROFS: 'invalid',
  EISDIR: 'invalid',
  EINVAL: 'invalid',
}

/**
 * For `.catch(fileError)`: rethrows what a file system call said as DriverError. A file that is not there was there a moment ago, or its folder was:
 * whether it is missing or its place is away is for the next attempt to find out, which asks for it anew.
 */
export function fileError(error: unknown): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const call = error instanceof Error && 'syscall' in error ? String(error.syscall) : 'file access'
  const kind = KINDS[code] ?? 'transient'
  const message =
    kind === 'full'
      ? `Expected free space to write to, but there is none left (${code})`
      : `Expected ${call} to succeed, got ${code || String(error)}`
  throw new DriverError(kind, message, { cause: error })
}

/** Throws `invalid` unless [offset, offset + length) lies within the device. */
export function requireRange(sizeBytes: number, offset: number, length: number): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0
  if (!valid || offset + length > sizeBytes) {
    throw new DriverError(
      'invalid',
      `Expected a range within ${sizeBytes} bytes, got ${length} bytes at ${offset}`,
    )
  }
}
