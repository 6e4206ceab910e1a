import pMap from 'p-map'
import { expect, it } from 'vitest'
import { keepFailing } from '../../backup-format/keep-failing.ts'

async function* half() {
  yield 1
  throw new Error('lost')
}

it('a list that fails after its first item fails for whoever maps it, however many are asked for at once', async () => {
  for (const concurrency of [1, 2, 3, 16])
    await expect(pMap(keepFailing(half()), async (item) => item, { concurrency })).rejects.toThrow('lost')
})
