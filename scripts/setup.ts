/** `npm run setup`: everything that the demo and the tests need, without running them. */
import { COMPONENTS } from './setup/components.ts'
import { setUp } from './setup/set-up.ts'

await setUp(COMPONENTS)
