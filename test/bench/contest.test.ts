import { expect, test } from 'vitest'
import { contest } from '../../bench/contest.ts'
import { describe } from '../../bench/describe.ts'
import { finishResult } from '../../bench/result.ts'

test('contestants take turns, in the opposite order each time, and the medians count', async () => {
  const order: string[] = []
  const contestant = (name: string, rates: readonly number[]) => async (run: number) => {
    order.push(`${name}${run}`)
    return { 'MiB/s': rates[run] ?? 0, objects: 7 }
  }
  const contestants = { a: contestant('a', [1, 9, 2]), b: contestant('b', [5, 5, 5]), c: contestant('c', []) }
  const { signal } = new AbortController()
  const table = await contest(3, contestants, { signal, without: new Set(['c']) })
  expect(order).toEqual(['a0', 'b0', 'b1', 'a1', 'a2', 'b2'])
  expect(table).toEqual({
    a: { 'MiB/s': 2, objects: 7, 'best MiB/s': 9 },
    b: { 'MiB/s': 5, objects: 7, 'best MiB/s': 5 },
  })
})

test('a goal that was missed is named, and so is a peer that is absent', () => {
  const result = finishResult({
    name: 'sample',
    unit: 'MiB/s',
    ours: 100,
    peers: {},
    ceiling: { name: 'a loop', value: 200 },
    ratios: {},
    rss: { data: 299 },
    goals: [
      { text: 'twice a peer', met: false },
      { text: 'half the loop', met: true },
    ],
    details: {},
    table: { ours: { 'MiB/s': 100 }, loop: { 'stored MiB/s': 200 } },
    absent: ['restic'],
  })
  expect(result).toMatchObject({ met: false, missed: ['twice a peer'], rssMb: 299 })
  const text = describe(result)
  expect(text).toContain('| ours | 100 |  |')
  expect(text).toContain('| loop |  | 200 |')
  expect(text).toContain('not on this machine: restic')
  expect(text).toContain('NOT met: twice a peer.')
})
