/** Waiting for the end of a pause, which may be days away: without a worker's slot, and without a timer. */
import { condition, defineSignal, setCurrentDetails, setHandler } from '@temporalio/workflow'
import { ActivityFailure, ApplicationFailure } from '@temporalio/common'
import { PAUSED_FAILURE, RESUME_SIGNAL } from '../domain/retries.ts'

let resumes = 0

export function listenForResume(): void {
  setHandler(defineSignal(RESUME_SIGNAL), () => {
    resumes += 1
  })
}

/** The same activities; one that stops for a pause is called again when the pause is over. Cancelling ends the wait. */
export function pausable<T extends object>(
  activities: T,
  stillPaused: (operationId: string) => Promise<boolean>,
): T {
  return new Proxy(activities, {
    get: (target, name) => {
      const activity = Reflect.get(target, name) as (input: { operationId: string }) => Promise<unknown>
      return (input: { operationId: string }) =>
        afterPauses(
          () => activity(input),
          () => stillPaused(input.operationId),
        )
    },
  })
}

async function afterPauses<T>(call: () => Promise<T>, stillPaused: () => Promise<boolean>): Promise<T> {
  for (;;) {
    // A resume may arrive before the failure that it answers.
    const resumesBefore = resumes
    try {
      return await call()
    } catch (error) {
      if (!isPaused(error)) throw error
    }
    setCurrentDetails('paused')
    if (await stillPaused()) await condition(() => resumes > resumesBefore)
    setCurrentDetails('working')
  }
}

function isPaused(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === PAUSED_FAILURE
  )
}
