/** Two columns of the matrix; matrix.long.ts has all of them. */
import { endingsNamed } from './all-endings.ts'
import { testEndings } from './test-endings.ts'

testEndings(endingsNamed(['cancelled-running', 'all-killed']), { timeoutMs: 300_000 })
