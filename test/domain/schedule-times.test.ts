import { expect, test } from 'vitest'
import { formatCron, parseCron } from '../../domain/cron.ts'
import { checkTimeZone, nextTimes, timesBetween } from '../../domain/schedule-times.ts'

function next(cron: string, timeZone: string, after: string, count: number): string[] {
  const timing = { cron, timeZone, intervalSeconds: null }
  return nextTimes(timing, Date.parse(after), count).map((timeMs) => new Date(timeMs).toISOString())
}

test.for([
  ['30 2 * * *', '30 2 * * *'],
  ['*/20 0 * * *', '0,20,40 0 * * *'],
  ['5/30 8-10 1,15 * *', '5,35 8,9,10 1,15 * *'],
  ['0 0 * JAN-mar mon-FRI', '0 0 * 1,2,3 1,2,3,4,5'],
  ['0 0 * * 5-7', '0 0 * * 0,5,6'],
  ['0 0 * * 7', '0 0 * * 0'],
  ['  0\t0  * * *  ', '0 0 * * *'],
])('cron "%s" means "%s"', ([text, meaning]) => {
  expect(formatCron(parseCron(text ?? ''))).toBe(meaning)
})

test.for<[string, RegExp]>([
  ['', /five fields/],
  ['* * * *', /five fields/],
  ['0 * * * * *', /five fields/],
  ['@daily', /five fields/],
  ['60 * * * *', /minute to be from 0 to 59.*got "60"/],
  ['0 24 * * *', /hour to be from 0 to 23/],
  ['0 0 0 * *', /day of the month to be from 1 to 31/],
  ['0 0 * 13 *', /month to be from 1 to 12 \(or jan, feb, …\)/],
  ['0 0 * * 8', /day of the week to be from 0 to 7/],
  ['0 0 * * monday', /day of the week/],
  ['5-1 * * * *', /minute/],
  ['*/0 * * * *', /minute/],
  ['1,,2 * * * *', /minute/],
  ['-1 * * * *', /minute/],
  ['1.5 * * * *', /minute/],
  ['0 0 13 * 5', /\* for the day of the month or for the day of the week/],
])('cron "%s" is refused with what was expected', ([text, message]) => {
  const error = expect.objectContaining({
    status: 400,
    code: 'invalidCron',
    message: expect.stringMatching(message),
  })
  expect(() => parseCron(text)).toThrow(error)
})

test('a time that clocks skip does not exist, and one that they repeat comes once', () => {
  expect(next('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00:00Z', 2)).toEqual([
    '2026-03-28T01:30:00.000Z',
    '2026-03-30T00:30:00.000Z',
  ])
  expect(next('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:00:00Z', 2)).toEqual([
    '2026-10-25T01:30:00.000Z',
    '2026-10-26T01:30:00.000Z',
  ])
})

test('zones ahead of, behind and beside whole hours keep their own days', () => {
  expect(next('0 0 1 * *', 'Pacific/Auckland', '2026-11-20T00:00:00Z', 1)).toEqual([
    '2026-11-30T11:00:00.000Z',
  ])
  expect(next('0 23 * * sun', 'America/Los_Angeles', '2026-11-20T00:00:00Z', 1)).toEqual([
    '2026-11-23T07:00:00.000Z',
  ])
  expect(next('15 6 * * *', 'Asia/Kathmandu', '2026-11-20T00:30:00Z', 1)).toEqual([
    '2026-11-21T00:30:00.000Z',
  ])
})

test('the 29th of February is found years ahead, the 30th never', () => {
  expect(next('0 0 29 2 *', 'UTC', '2026-11-20T00:00:00Z', 2)).toEqual([
    '2028-02-29T00:00:00.000Z',
    '2032-02-29T00:00:00.000Z',
  ])
  expect(next('0 0 30 2 *', 'UTC', '2026-11-20T00:00:00Z', 1)).toEqual([])
})

test('intervals are counted from 1970, and of very many times the last ones are told', () => {
  const timing = { cron: null, timeZone: 'UTC', intervalSeconds: 7 }
  expect(nextTimes(timing, 14_000, 2)).toEqual([21_000, 28_000])
  expect(timesBetween(timing, 14_000, 28_000, 10)).toEqual([21_000, 28_000])
  expect(timesBetween(timing, 0, 7_000_000, 2)).toEqual([6_993_000, 7_000_000])
})

test('a zone is known by its proper name', () => {
  expect(checkTimeZone('europe/berlin')).toBe('Europe/Berlin')
  for (const name of ['Mars/Olympus', '+02:00', '', 'Europe/Berlin\n']) {
    expect(() => checkTimeZone(name)).toThrow(expect.objectContaining({ code: 'unknownTimeZone' }))
  }
})
