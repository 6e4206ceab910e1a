import { expect, test } from 'vitest'
import { operationsPage } from './table.ts'

test('the table in docs/operations.md is the one that is tested: else run `node test/end-to-end/endings/table.ts`', () => {
  const { now, wanted } = operationsPage()
  expect(now).toBe(wanted)
})
