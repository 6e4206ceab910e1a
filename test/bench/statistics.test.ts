import { expect, test } from 'vitest'
import { median, percentile } from '../../bench/statistics.ts'

test('the median is the middle value, or the mean of the middle two', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([9, 1, 5, 7])).toBe(6)
  expect(() => median([])).toThrow('at least one')
})

test('a percentile is one of the values', () => {
  const values = Array.from({ length: 20 }, (_, index) => index + 1)
  expect(percentile(values, 0.95)).toBe(19)
  expect(percentile(values, 0.5)).toBe(10)
  expect(percentile([3], 0.95)).toBe(3)
})
