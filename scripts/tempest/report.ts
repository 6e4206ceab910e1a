import { KNOWN_FAILURES } from './known-failures.ts'
import type { TestResult } from './run.ts'

/** Every failure with its reason, what passes although it is known to fail, and the counts. */
export function describeRun(results: readonly TestResult[]): string {
  const failures = failed(results).map(
    ({ name, reason }) => `FAILED ${name}\n${knownReason(name) ?? reason.trimEnd()}\n`,
  )
  const unknown = failed(results).filter(({ name }) => knownReason(name) === undefined)
  const counts = (['passed', 'failed', 'skipped'] as const).map(
    (outcome) => `${results.filter((result) => result.outcome === outcome).length} ${outcome}`,
  )
  const surprises = unexpectedlyPassed(results).map(({ name }) => `PASSED, against expectation: ${name}`)
  return [...failures, ...surprises, `${counts.join(', ')}; ${unknown.length} of the failures are new`].join(
    '\n',
  )
}

/** Nothing fails that is not known to, and nothing that is known to fail has been mended without a word. */
export function isAsKnown(results: readonly TestResult[]): boolean {
  const ran = results.some(({ outcome }) => outcome === 'passed')
  const known = failed(results).every(({ name }) => knownReason(name) !== undefined)
  return ran && known && unexpectedlyPassed(results).length === 0
}

function failed(results: readonly TestResult[]): TestResult[] {
  return results.filter(({ outcome }) => outcome === 'failed')
}

function unexpectedlyPassed(results: readonly TestResult[]): TestResult[] {
  return results.filter(({ name, outcome }) => outcome === 'passed' && knownReason(name) !== undefined)
}

function knownReason(name: string): string | undefined {
  return Object.entries(KNOWN_FAILURES).find(([part]) => name.includes(part))?.[1]
}
