/**
 * What a driver, target or tool says went wrong. Only `transient` and `busy` are worth another try. `inUse`: somebody has the volume
 * open who cannot be asked, or who refused; nothing was changed.
 */
export type DriverErrorKind =
  | 'notFound'
  | 'busy'
  | 'inUse'
  | 'full'
  | 'invalid'
  | 'unsupported'
  | 'transient'
  | 'corrupt'

/**
 * The one error type that leaves drivers, block-io, image-formats and backup-format.
 * `message` is shown to users: it says what was expected, what was found, and names no secret and no host path outside the backend.
 */
export class DriverError extends Error {
  override readonly name = 'DriverError'
  readonly kind: DriverErrorKind

  constructor(kind: DriverErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

/** The database does not answer, or cannot work now: whoever asked may ask again. The cause is for logs, the message for users. */
export class DatabaseUnavailableError extends Error {
  override readonly name = 'DatabaseUnavailableError'

  constructor(cause: unknown) {
    super('Expected an answer of the database, got none. Try again in a moment.', { cause })
  }

  get reason(): string {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

/** How an operation ends that somebody gave up. */
export const ABANDONED = { code: 'abandoned', message: 'The operation was abandoned on request.' } as const

/** Work of an operation that has ended, or that nobody waits for any more, arrived late: it must not be done. */
export class OperationOverError extends Error {
  override readonly name = 'OperationOverError'

  constructor(operationId: string) {
    super(`Operation ${operationId} has ended or was abandoned.`)
  }
}

/** A request that cannot be accepted: answered with 4xx, and nothing was created. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly status: 400 | 401 | 403 | 404 | 409 | 410 | 413
  readonly code: string
  /** For 409: the operation that holds the resource. */
  readonly holderOperationId: string | undefined

  constructor(
    status: 400 | 401 | 403 | 404 | 409 | 410 | 413,
    code: string,
    message: string,
    holderOperationId?: string,
  ) {
    super(message)
    this.status = status
    this.code = code
    this.holderOperationId = holderOperationId
  }
}
