import { type Command, CommanderError } from 'commander'
import { ApiError, UnreachableError } from '../sdk/errors.ts'
import { CliError, Concluded, EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts'
import { say } from './output.ts'
import { printable, styled } from './text.ts'

/** Runs one command; every error is reported here, once. The exit code is for the caller to use. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<ExitCode> {
  endQuietlyWithReader()
  try {
    await program.parseAsync(argv)
    return EXIT.ok
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    if (error instanceof Concluded) return error.exitCode
    const exitCode = error instanceof CommanderError ? EXIT.usage : exitCodeOf(error)
    report(error, argv.includes('--json'))
    return exitCode
  }
}

/** `volflow volume list | head -1`: whoever read the output has seen enough. */
function endQuietlyWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok)
    throw error
  })
}

function report(error: unknown, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify({ error: documentOf(error) })}\n`)
  // Commander has said it already.
  if (error instanceof CommanderError) return
  const [first = '', ...rest] = messageOf(error).split('\n')
  say([styled(process.stderr, 'red', printable(first)), ...rest.map(printable)].join('\n'))
}

function documentOf(error: unknown): object {
  if (error instanceof ApiError) {
    const { code, message, status, requestId, holderOperationId } = error
    return { code, message, status, requestId, holderOperationId }
  }
  if (error instanceof CliError) return { code: error.code, message: error.message }
  if (error instanceof UnreachableError) return { code: 'unreachable', message: error.message }
  return { code: error instanceof CommanderError ? 'usage' : 'unexpected', message: String(error) }
}

function messageOf(error: unknown): string {
  if (error instanceof UnreachableError) {
    return `${error.message}\nIs \`volflow up\` running? --url or VOLFLOW_URL says where the API is.`
  }
  if (error instanceof ApiError && error.holderOperationId !== undefined) {
    const id = error.holderOperationId
    return `${error.message}\nFollow it: volflow operation watch ${id}\nCancel it: volflow operation cancel ${id}`
  }
  if (error instanceof ApiError && error.code === 'unauthorized') return `${error.message}\n${HOW_TO_LOG_IN}`
  if (error instanceof ApiError && error.status >= 500) {
    return `${error.message}\nRequest id: ${error.requestId ?? 'none'}`
  }
  return error instanceof Error ? error.message : String(error)
}

const HOW_TO_LOG_IN =
  'Set OS_CLOUD to a cloud of your clouds.yaml, or OS_AUTH_URL and the like; or VOLFLOW_DATA to the data folder of `volflow up`, which has a clouds.yaml.'
