/** Every operation with every ending: docs/operations.md has the table. VOLFLOW_ENDINGS=poison,retried runs some of them alone. */
import { ENDINGS, endingsNamed } from './all-endings.ts'
import { testEndings } from './test-endings.ts'

const names = process.env.VOLFLOW_ENDINGS?.split(',')

testEndings(names === undefined ? ENDINGS : endingsNamed(names), { timeoutMs: 900_000 })
