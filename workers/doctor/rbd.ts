import type { RbdConfig } from '../../drivers/volumes/rbd/place.ts'
import { rbdSelfTest } from '../../drivers/volumes/rbd/self-test.ts'
import { type CheckResult, probe, warn } from './check.ts'

/** What can be tried is tried, with an image that is gone afterwards. The first failure ends it: all others would have its cause. */
export async function* rbdChecks(where: string, config: RbdConfig): AsyncGenerator<CheckResult> {
  for await (const { name: check, next, run } of rbdSelfTest(config)) {
    const result = await probe({ where, check, next }, async () => {
      const { value, isFine } = await run()
      return isFine ? value : warn(value)
    })
    yield result
    if (result.state === 'fail') return
  }
}
