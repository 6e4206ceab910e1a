import type { Operation } from '../sdk/types.ts'
import { CliError, Concluded, EXIT, type ExitCode } from './exit-codes.ts'
import { untilInterrupted } from './interrupt.ts'
import { printResult, say } from './output.ts'
import { Progress } from './progress/progress.ts'
import type { ProgressState } from './progress/view.ts'
import type { Session } from './session.ts'
import { printable, styled } from './text.ts'

export interface Started {
  /** `volume`, as in the answer's field. */
  readonly noun: string
  readonly operation: Operation
  /** The answer of the API, which `--json` prints. */
  readonly answer: object
  /** What its result says, for people; nothing: undefined. */
  readonly detail?: (ended: Operation) => string | undefined
  /** Shows the resource as it is after the operation; left out where it is gone then. */
  readonly show?: () => Promise<object>
}

/** Ends a command that started an operation: says so, or waits for it and says how it ended. */
export async function conclude(session: Session, started: Started): Promise<void> {
  const { operation, noun, answer } = started
  if (!session.wait) {
    printResult(
      session,
      answer,
      () => `Accepted: ${operation.kind} ${noun} ${operation.resourceId}, operation ${operation.id}`,
    )
    if (!session.json) say(`Follow it with: volflow operation watch ${operation.id}`)
    return
  }
  const ended = await follow(session, operation)
  const shown =
    ended.state === 'succeeded' && started.show !== undefined ? { [noun]: await started.show() } : {}
  const exitCode = exitCodeOfOperation(ended)
  if (exitCode === EXIT.ok || session.json) {
    const lines = () => [endLine(process.stdout, ended), started.detail?.(ended)]
    printResult(session, { ...answer, ...shown, operation: ended }, () =>
      lines()
        .filter((line) => line !== undefined)
        .join('\n'),
    )
  } else say(endLine(process.stderr, ended))
  if (exitCode !== EXIT.ok) throw new Concluded(exitCode)
}

/** Waits with live progress on standard error. Ctrl-C stops the waiting, not the operation. */
export async function follow(session: Session, operation: Operation): Promise<Operation> {
  const progress = session.json && !process.stderr.isTTY ? undefined : new Progress(process.stderr)
  let ended
  try {
    ended = await untilInterrupted((signal) =>
      session.client.waitForOperation(operation.id, {
        signal,
        onChange: (changed) => progress?.update(progressOf(changed)),
      }),
    )
  } finally {
    progress?.end()
  }
  if (ended !== 'interrupted') return ended
  throw new CliError(EXIT.interrupted, 'interrupted', stoppedWaiting(operation.id))
}

export function stoppedWaiting(operationId: string): string {
  return [
    `Stopped waiting; operation ${operationId} goes on.`,
    `Follow it: volflow operation watch ${operationId}`,
    `Cancel it: volflow operation cancel ${operationId}`,
  ].join('\n')
}

export function progressOf(operation: Operation): ProgressState {
  const { kind, state, phase, doneBytes, totalBytes } = operation
  const isOpen = state === 'pending' || state === 'running'
  const note = isOpen ? noteOf(operation) : undefined
  return {
    kind,
    phase: isOpen ? (phase ?? state) : state,
    doneBytes,
    totalBytes,
    ...(note === undefined ? {} : { note }),
  }
}

function noteOf({ cancelRequested, nextRetryAt, lastError }: Operation): string | undefined {
  if (cancelRequested) return 'being cancelled'
  if (nextRetryAt === null || lastError === null) return undefined
  const seconds = Math.max(0, Math.round((Date.parse(nextRetryAt) - Date.now()) / 1000))
  return `next try in ${seconds} s after: ${lastError}`
}

export function exitCodeOfOperation({ state }: Operation): ExitCode {
  if (state === 'failed') return EXIT.failed
  return state === 'cancelled' ? EXIT.cancelled : EXIT.ok
}

/** `create-volume 6f… succeeded after 3.2 s, path copy` */
export function endLine(stream: NodeJS.WriteStream, operation: Operation): string {
  const { id, kind, state, resourceId, startedAt, createdAt, finishedAt, error, result } = operation
  const seconds = (Date.parse(finishedAt ?? createdAt) - Date.parse(startedAt ?? createdAt)) / 1000
  const path = result?.path === undefined ? '' : `, path ${printable(String(result.path))}`
  const done = `${kind} ${resourceId} ${state} after ${seconds.toFixed(1)} s${path}`
  if (state === 'succeeded') return done
  if (error === null) return styled(stream, 'yellow', `${done} (operation ${id})`)
  return styled(stream, 'red', `${done} (operation ${id}): ${printable(error.message)} [${error.code}]`)
}
