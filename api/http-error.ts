/** Answers that no request can be blamed for alone, or that only HTTP knows; the rest are RequestError. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly status: 400 | 405 | 408 | 413 | 415 | 416 | 503 | 507
  readonly code: string

  constructor(status: HttpError['status'], code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    this.code = code
  }
}
