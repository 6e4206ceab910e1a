/** Every operation with every ending: docs/operations.md has the table. VOLFLOW_ENDINGS=poison,retried runs some of them alone. */
import { ENDINGS } from './all-endings.ts'
import { testEndings } from './test-endings.ts'

const wanted = process.env.VOLFLOW_ENDINGS?.split(',')

testEndings(
  ENDINGS.filter(({ name }) => wanted === undefined || wanted.includes(name)),
  600_000,
)
