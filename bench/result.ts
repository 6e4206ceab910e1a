import { loadavg } from 'node:os'
import { type BenchmarkResult, type Goal, RSS_GOAL_MB } from './benchmark.ts'
import type { Row } from './contest.ts'
import { rounded, roundedAll } from './statistics.ts'

type Measured = Omit<BenchmarkResult, 'rssMb' | 'met' | 'goal' | 'missed'> & {
  /** Peak of each of our processes. */
  readonly rss: Readonly<Record<string, number>>
  readonly goals?: readonly Goal[]
  /** RSS_GOAL_MB unless told. */
  readonly rssGoalMb?: number
}

/** Rounds what was measured, and adds the goal that every benchmark has: memory. */
export function finishResult({
  rss,
  rssGoalMb = RSS_GOAL_MB,
  goals = [],
  table,
  ...measured
}: Measured): BenchmarkResult {
  const rssMb = Math.max(...Object.values(rss))
  const rssDetails = Object.entries(rss).map(([name, value]) => [`rss ${name} MB`, value])
  const all = [...goals, { text: `each process under ${rssGoalMb} MB`, met: rssMb < rssGoalMb }]
  const missed = all.filter(({ met }) => !met).map(({ text }) => text)
  return {
    ...measured,
    ours: rounded(measured.ours),
    peers: roundedAll(measured.peers),
    ceiling: { name: measured.ceiling.name, value: rounded(measured.ceiling.value) },
    ratios: roundedAll(measured.ratios),
    rssMb: rounded(rssMb),
    goal: all.map(({ text }) => text).join('; '),
    met: missed.length === 0,
    missed,
    details: roundedAll({
      ...measured.details,
      ...Object.fromEntries(rssDetails),
      'load average': loadavg()[0] ?? 0,
    }),
    ...(table && { table: roundedTable(table) }),
  }
}

function roundedTable(table: Readonly<Record<string, Row>>): Record<string, Row> {
  return Object.fromEntries(Object.entries(table).map(([name, row]) => [name, roundedAll(row)]))
}
