/** `npm test [-- FILTER… OPTIONS…]`: sets up, runs vitest, and ends with the true counts. `--long` runs the *.long.ts files instead. */
import { parseCLI, startVitest } from 'vitest/node'
import { countTests, describeCounts } from './count-tests.ts'
import { keystone } from './setup/keystone.ts'
import { COMPONENTS } from './setup/components.ts'
import { setUp } from './setup/set-up.ts'
import { temporalServer, temporalSqlTool, temporalWebUi } from './setup/temporal-cluster.ts'

const args = process.argv.slice(2)
const forLong = args.includes('--long') ? [temporalServer, temporalSqlTool, temporalWebUi, keystone] : []
await setUp([...COMPONENTS, ...forLong])

const { filter, options } = parseCLI(['vitest', 'run', ...args.filter((arg) => arg !== '--long')])
if (args.includes('--long')) process.env.VOLFLOW_TEST_LONG = '1'
const vitest = await startVitest(filter, options)
const counts = countTests(vitest.state.getTestModules(), vitest.state.getUnhandledErrors())
await vitest.close()
console.log(describeCounts(counts))
const ranNothing = counts.passed + counts.failed === 0
process.exit(counts.failed > 0 || ranNothing ? 1 : 0)
