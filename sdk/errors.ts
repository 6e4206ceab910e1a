/** The API answered that it will not or cannot do it. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string
  readonly requestId: string | undefined
  /** For 409: the operation that holds the resource. */
  readonly holderOperationId: string | undefined

  constructor(
    status: number,
    answer: { code: string; message: string; requestId?: string; holderOperationId?: string },
  ) {
    super(answer.message)
    this.status = status
    this.code = answer.code
    this.requestId = answer.requestId
    this.holderOperationId = answer.holderOperationId
  }
}

/** There was no answer: nothing listens, the connection broke, or it took too long. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
  readonly url: string

  constructor(url: string, options?: ErrorOptions) {
    super(`Expected an answer from ${url}, got none: ${reasonOf(options?.cause)}`, options)
    this.url = url
  }
}

/** `fetch failed` says nothing; its innermost cause does. */
function reasonOf(cause: unknown): string {
  let error = cause
  while (error instanceof Error && error.cause instanceof Error) error = error.cause
  if (error instanceof AggregateError) error = error.errors[0]
  return error instanceof Error ? error.message : String(error)
}
