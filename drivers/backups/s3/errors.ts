import { DriverError } from '../../../domain/errors.ts'

const KINDS: Readonly<Record<string, DriverError['kind']>> = {
  // The body did not arrive as it was sent. The first name is AWS's, the second MinIO's.
  BadDigest: 'transient',
  XAmzContentChecksumMismatch: 'transient',
  NoSuchBucket: 'notFound',
  AccessDenied: 'invalid',
  InvalidAccessKeyId: 'invalid',
  SignatureDoesNotMatch: 'invalid',
  RequestTimeTooSkewed: 'invalid',
  QuotaExceeded: 'full',
  XMinioStorageFull: 'full',
  NotImplemented: 'unsupported',
}

export function isMissing(error: unknown): boolean {
  return nameOf(error) === 'NoSuchKey' || (nameOf(error) === 'NotFound' && statusOf(error) === 404)
}

export function isConditionFailed(error: unknown): boolean {
  return statusOf(error) === 412
}

/** What a request's failure means to callers. Another try may help with everything that is not named. */
export function asDriverError(error: unknown): DriverError {
  if (error instanceof DriverError) return error
  const status = statusOf(error)
  const name = nameOf(error)
  const kind = KINDS[name] ?? kindOfStatus(status)
  const what = status === undefined ? `${name}: ${messageOf(error)}` : `${status} ${name}`
  return new DriverError(kind, `Expected the S3 service to do as asked, got ${what}`, { cause: error })
}

function kindOfStatus(status: number | undefined): DriverError['kind'] {
  if (status === 507) return 'full'
  if (status === undefined || status >= 500 || status === 408 || status === 409 || status === 429)
    return 'transient'
  return status >= 400 ? 'invalid' : 'transient'
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined
  const metadata = error.$metadata
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error)
}
