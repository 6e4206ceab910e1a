import type { TestModule } from 'vitest/node'

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

type CountedModule = Pick<TestModule, 'errors' | 'children'>

/**
 * Counts tests, and as one failure each: a file that could not be loaded, a hook that failed, an error that no test caught. A
 * test that did not run, for whatever reason, is skipped.
 */
export function countTests(modules: readonly CountedModule[], unhandledErrors: readonly unknown[]): Counts {
  const states = modules.flatMap((module) =>
    [...module.children.allTests()].map((test) => test.result().state),
  )
  const suites = modules.flatMap((module) => [module, ...module.children.allSuites()])
  const failedSuites = suites.filter((suite) => suite.errors().length > 0)
  const passed = states.filter((state) => state === 'passed').length
  const failed = states.filter((state) => state === 'failed').length
  return {
    passed,
    failed: failed + failedSuites.length + unhandledErrors.length,
    skipped: states.length - passed - failed,
  }
}

/** The line that CI reads. */
export function describeCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}
