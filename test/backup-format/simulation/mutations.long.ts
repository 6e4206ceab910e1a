import { expect, it } from 'vitest'
import { MUTATIONS } from './mutations.ts'
import { firstCaught } from './first-caught.ts'

it.each(MUTATIONS)('the simulation needs this rule: $rule', async (mutation) => {
  const seed = await firstCaught(mutation, 10_000)
  console.log(`${mutation.name}: seed ${seed}`)
  expect(seed).toBeLessThan(10_000)
})
