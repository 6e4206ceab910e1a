import { hasEnded } from '../sdk/has-ended.ts'
import { CliError, Concluded, EXIT } from './exit-codes.ts'
import { endLine, exitCodeOfOperation, progressOf, stoppedWaiting } from './follow.ts'
import { untilInterrupted } from './interrupt.ts'
import { Progress } from './progress/progress.ts'
import type { Session } from './session.ts'

/** Follows an operation on standard output: here the progress is the result. The exit code tells how it ended. */
export async function watch({ client, json }: Session, operationId: string): Promise<void> {
  const progress = json ? undefined : new Progress(process.stdout)
  let ended
  try {
    ended = await untilInterrupted((signal) =>
      client.waitForOperation(operationId, {
        signal,
        onChange: (operation) => {
          if (progress === undefined) process.stdout.write(`${JSON.stringify(operation)}\n`)
          else if (!hasEnded(operation)) progress.update(progressOf(operation))
        },
      }),
    )
  } finally {
    progress?.end()
  }
  if (ended === 'interrupted')
    throw new CliError(EXIT.interrupted, 'interrupted', stoppedWaiting(operationId))
  if (!json) process.stdout.write(`${endLine(process.stdout, ended)}\n`)
  const exitCode = exitCodeOfOperation(ended)
  if (exitCode !== EXIT.ok) throw new Concluded(exitCode)
}
