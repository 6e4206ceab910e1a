import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decideRetention, type RetainedBackup, type Retention } from '../../domain/retention.ts'
import { timesBetween } from '../../domain/schedule-times.ts'
import { modelKeeps } from './retention-model.ts'

const DAY_MS = 86_400_000
const BERLIN = { timeZone: 'Europe/Berlin' }
const START_MS = Date.parse('2027-03-10T00:00:00Z')

const at = (time: string, good = true): RetainedBackup => ({ id: time, takenAtMs: Date.parse(time), good })

function kept(backups: RetainedBackup[], rules: Retention, now: string): string[] {
  const decisions = decideRetention(backups, rules, { nowMs: Date.parse(now), ...BERLIN })
  return decisions.filter(({ keep }) => keep).map(({ id }) => id)
}

test('each kept backup says which rules keep it, and each dropped one why it goes', () => {
  const backups = [
    at('2027-01-01T02:00:00Z'),
    at('2027-01-01T20:00:00Z'),
    at('2027-01-02T02:00:00Z'),
    at('2027-01-02T03:00:00Z', false),
    at('2027-01-02T04:00:00Z'),
  ]
  const nowMs = Date.parse('2027-01-02T05:00:00Z')
  expect(
    decideRetention(backups, { last: 1, daily: 2, withinSeconds: 3600 }, { nowMs, ...BERLIN }),
  ).toMatchObject([
    { id: '2027-01-02T04:00:00Z', keep: true, reasons: ['last 1', 'daily 1', 'within'] },
    { keep: false, reasons: ['it failed, and a newer one is good'] },
    { id: '2027-01-02T02:00:00Z', keep: false, reasons: ['no rule keeps it'] },
    { id: '2027-01-01T20:00:00Z', keep: true, reasons: ['daily 2'] },
    { id: '2027-01-01T02:00:00Z', keep: false },
  ])
})

test('days are those of the zone: 23:30 UTC is tomorrow in Berlin', () => {
  const backups = [at('2027-01-01T20:00:00Z'), at('2027-01-01T23:30:00Z')]
  expect(kept(backups, { daily: 2 }, '2027-01-02T00:00:00Z')).toHaveLength(2)
  const utc = decideRetention(backups, { daily: 2 }, { nowMs: START_MS, timeZone: 'UTC' })
  expect(utc.filter(({ keep }) => keep)).toHaveLength(1)
})

test('the last good backup stays whatever the rules say, however old it is, and so does a failure after it', () => {
  const backups = [at('2020-01-01T00:00:00Z'), at('2021-01-01T00:00:00Z'), at('2027-01-01T00:00:00Z', false)]
  const decisions = decideRetention(backups, { withinSeconds: 60 }, { nowMs: START_MS, ...BERLIN })
  expect(decisions).toMatchObject([
    { keep: true, reasons: ['it failed, and no newer one is good'] },
    { id: '2021-01-01T00:00:00Z', keep: true, reasons: ['the last good one'] },
    { keep: false },
  ])
})

const rules = fc.record(
  {
    last: fc.integer({ min: 1, max: 6 }),
    hourly: fc.integer({ min: 1, max: 30 }),
    daily: fc.integer({ min: 1, max: 10 }),
    weekly: fc.integer({ min: 1, max: 5 }),
    monthly: fc.integer({ min: 1, max: 3 }),
    yearly: fc.integer({ min: 1, max: 2 }),
    withinSeconds: fc.integer({ min: 1, max: 10 * 86_400 }),
  },
  { requiredKeys: [] },
)
const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Auckland')

test('any backups under any rules: what stays is what a simple model of calendars keeps', () => {
  const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 500 * 1440 }), { maxLength: 60 })
  fc.assert(
    fc.property(
      minutes,
      fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
      rules,
      zone,
      (times, goods, wanted, timeZone) => {
        fc.pre(Object.keys(wanted).length > 0)
        const backups = times.map((minute, index) => ({
          id: `b${index}`,
          takenAtMs: START_MS + minute * 60_000,
          good: goods[index] === true,
        }))
        const nowMs = START_MS + 500 * DAY_MS
        const decisions = decideRetention(backups, wanted, { nowMs, timeZone })
        const stays = new Set(decisions.filter(({ keep }) => keep).map(({ id }) => id))
        expect(stays).toEqual(modelKeeps(backups, wanted, nowMs, timeZone))
      },
    ),
    { numRuns: 1000 },
  )
})

test('thirty days of plans: deleting after each backup leaves what deleting once at the end does, and the model agrees each time', () => {
  const timing = fc.constantFrom(
    { cron: '30 2 * * *', intervalSeconds: null },
    { cron: '0 */6 * * *', intervalSeconds: null },
    { cron: '15 1 * * mon,thu', intervalSeconds: null },
    { cron: null, intervalSeconds: 5 * 3600 },
  )
  fc.assert(
    fc.property(
      timing,
      rules,
      zone,
      fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
      (when, wanted, timeZone, luck) => {
        // Over the change of clocks in March.
        const { withinSeconds: _, ...counted } = wanted
        fc.pre(Object.keys(counted).length > 0)
        const planned = timesBetween({ ...when, timeZone }, START_MS, START_MS + 30 * DAY_MS, 1000)
        const history: RetainedBackup[] = []
        let present: RetainedBackup[] = []
        for (const timeMs of planned) {
          const backup = { id: `${timeMs}`, takenAtMs: timeMs, good: luck.next().value !== 0 }
          history.push(backup)
          present.push(backup)
          const decisions = decideRetention(present, counted, { nowMs: timeMs, timeZone })
          const stays = new Set(decisions.filter(({ keep }) => keep).map(({ id }) => id))
          expect(stays).toEqual(modelKeeps(present, counted, timeMs, timeZone))
          present = present.filter(({ id }) => stays.has(id))
        }
        const nowMs = START_MS + 30 * DAY_MS
        const once = decideRetention(history, counted, { nowMs, timeZone }).filter(({ keep }) => keep)
        expect(present.map(({ id }) => id).toSorted()).toEqual(once.map(({ id }) => id).toSorted())
      },
    ),
    { numRuns: 40 },
  )
})
