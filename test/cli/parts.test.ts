import { expect, test } from 'vitest'
import { layOut } from '../../cli/progress/progress-bar.ts'
import { Rate } from '../../cli/progress/rate.ts'
import { parseSize } from '../../cli/size.ts'
import { formatSeconds, textWidth } from '../../cli/text.ts'
import { GiB, MiB, TiB } from '../../domain/sizes.ts'

test.for<[string, number]>([
  ['10G', 10 * GiB],
  ['512M', 512 * MiB],
  ['1.5T', 1.5 * TiB],
  ['10GiB', 10 * GiB],
  ['2g', 2 * GiB],
  ['4096B', 4096],
])('%s is %d bytes', ([text, bytes]) => {
  expect(parseSize(text)).toBe(bytes)
})

test.for(['', '10', 'G', '-1G', '1,5G', '1e3M', '10GB', '0.3B', '9999999T', '1 G'])(
  '"%s" is no size',
  (text) => {
    expect(() => parseSize(text)).toThrow(expect.objectContaining({ exitCode: 2, code: 'usage' }))
  },
)

test('The rate is that of the last seconds, and starts anew when an attempt does', () => {
  const rate = new Rate()
  rate.add(0, 0)
  expect(rate.bytesPerSecond).toBeUndefined()
  rate.add(1_000, 1_000)
  rate.add(50_000, 8_000)
  expect(rate.bytesPerSecond).toBe(6_250)
  rate.add(50_000, 30_000)
  expect(rate.bytesPerSecond).toBeUndefined()
  rate.add(10, 31_000)
  rate.add(30, 32_000)
  expect(rate.bytesPerSecond).toBe(20)
})

test('A progress line fits whatever the width is', () => {
  const state = {
    kind: 'create-volume',
    phase: 'copying',
    doneBytes: 1,
    totalBytes: 2,
    note: 'next try in 3 s',
  }
  const facts = { percent: 50, bytes: '1 B of 2 B', rate: '1 B/s', left: '0:01 left', elapsed: '0:01' }
  for (let columns = 0; columns < 120; columns += 1) {
    expect(textWidth(layOut(state, facts, columns))).toBeLessThanOrEqual(columns)
  }
  expect(layOut(state, facts, 119)).toContain('next try in 3 s')
})

test('Times are read as on a clock', () => {
  expect([0, 59.6, 61, 3_661].map(formatSeconds)).toEqual(['0:00', '1:00', '1:01', '1:01:01'])
})
