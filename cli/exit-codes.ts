import { ApiError, UnreachableError } from '../sdk/errors.ts'

/** What scripts can rely on; docs/cli.md lists them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unreachable: 5,
  cancelled: 6,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** An end that the CLI itself decides on. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode
  /** As in the API's errors, for `--json`. */
  readonly code: string

  constructor(exitCode: ExitCode, code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
    this.code = code
  }
}

/** The command has printed its result already; all that is left is the exit code. */
export class Concluded extends Error {
  override readonly name = 'Concluded'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode) {
    super(`exit ${exitCode}`)
    this.exitCode = exitCode
  }
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError || error instanceof Concluded) return error.exitCode
  if (error instanceof UnreachableError) return EXIT.unreachable
  if (!(error instanceof ApiError)) return EXIT.failed
  if (error.status === 404) return EXIT.notFound
  if (error.status === 409) return EXIT.conflict
  return error.status < 500 ? EXIT.usage : EXIT.failed
}
