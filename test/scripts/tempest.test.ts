import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { KNOWN_FAILURES } from '../../scripts/tempest/known-failures.ts'
import { describeRun, isAsKnown } from '../../scripts/tempest/report.ts'

const PASSED = { name: 'tempest.api.volume.A.test_a', outcome: 'passed', reason: '' } as const
const FAILED = { name: 'tempest.api.volume.A.test_b', outcome: 'failed', reason: 'Traceback\nNo' } as const
const SKIPPED = { name: 'tempest.api.volume.A.test_c', outcome: 'skipped', reason: 'no servers' } as const

test('A run of Tempest ends with its counts, and fails on a failure without a known reason', () => {
  expect(describeRun([PASSED, FAILED, SKIPPED])).toBe(
    'FAILED tempest.api.volume.A.test_b\nTraceback\nNo\n\n1 passed, 1 failed, 1 skipped; 1 of the failures are new',
  )
  expect([isAsKnown([PASSED, FAILED]), isAsKnown([PASSED, SKIPPED])]).toEqual([false, true])
  // Whatever was to be tested did not come up.
  expect([isAsKnown([]), isAsKnown([SKIPPED])]).toEqual([false, false])
})

test('A known failure is no surprise while it fails, and is one when it passes', () => {
  const [part = '', reason = ''] = Object.entries(KNOWN_FAILURES)[0] ?? []
  const known = { ...FAILED, name: `tempest.api.volume.${part}.test_d` }
  expect(isAsKnown([PASSED, known])).toBe(true)
  expect(describeRun([PASSED, known])).toContain(reason)
  expect(isAsKnown([PASSED, { ...known, outcome: 'passed' }])).toBe(false)
})

test('The documentation has every known failure', async () => {
  const page = await readFile('docs/tempest.md', 'utf8')
  for (const part of Object.keys(KNOWN_FAILURES)) expect(page).toContain(part)
})
