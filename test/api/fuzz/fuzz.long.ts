import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { hammer } from './hammer.ts'

const REQUESTS = 10_000

test('10,000 fuzzed requests of all dialects: none fails inside, no answer tells of the inside, and 3 of 10 are valid', async () => {
  const seed = Number(process.env.VOLFLOW_FUZZ_SEED ?? randomInt(2 ** 30))
  const { valid, neverValid, wrong } = await hammer(REQUESTS, seed)
  console.log(
    `VOLFLOW_FUZZ_SEED=${seed}: ${valid} of ${REQUESTS} requests were valid. Never: ${neverValid.join(', ')}`,
  )
  expect(wrong, `VOLFLOW_FUZZ_SEED=${seed}`).toEqual([])
  expect(valid).toBeGreaterThan(0.3 * REQUESTS)
})
