import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { hammer } from './hammer.ts'

test(
  '500 fuzzed requests of all dialects: none fails inside, and no answer tells of the inside',
  { timeout: 240_000 },
  async () => {
    const seed = Number(process.env.VOLFLOW_FUZZ_SEED ?? randomInt(2 ** 30))
    const { valid, wrong } = await hammer(500, seed)
    expect(wrong, `VOLFLOW_FUZZ_SEED=${seed}`).toEqual([])
    expect(valid, `VOLFLOW_FUZZ_SEED=${seed}`).toBeGreaterThan(100)
  },
)
