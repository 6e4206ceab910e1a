/** One thing that the product relies on, tried out. */
export interface CheckResult {
  /** `backend files`, `store local`, `target s3`, `database`, `temporal`, `programs`, `host`. */
  readonly where: string
  readonly check: string
  readonly state: 'ok' | 'warn' | 'fail'
  /** What was measured or found. */
  readonly value: string
  /** Empty: nothing to do. */
  readonly next: string
}

/** What a probe answers: a value that is fine, or one that is not. */
export type Answer = string | Pick<CheckResult, 'state' | 'value'>

/** Runs one probe; whatever it throws is a failure with that message. `next` is what to do unless it is fine. */
export async function probe(
  { where, check, next }: Pick<CheckResult, 'where' | 'check' | 'next'>,
  run: () => Promise<Answer> | Answer,
): Promise<CheckResult> {
  try {
    const answer = await run()
    const { state, value } = typeof answer === 'string' ? { state: 'ok' as const, value: answer } : answer
    return { where, check, state, value, next: state === 'ok' ? '' : next }
  } catch (error) {
    const value = error instanceof Error ? error.message : String(error)
    return { where, check, state: 'fail', value, next }
  }
}

export function warn(value: string): Answer {
  return { state: 'warn', value }
}
