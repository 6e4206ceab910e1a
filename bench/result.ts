import { loadavg } from 'node:os'
import { type BenchmarkResult, RSS_GOAL_MB } from './benchmark.ts'
import { rounded, roundedAll } from './statistics.ts'

type Measured = Omit<BenchmarkResult, 'rssMb' | 'met' | 'goal'> & {
  /** Peak of each of our processes. */
  readonly rss: Readonly<Record<string, number>>
  readonly goal?: string
  readonly met?: boolean
}

/** Rounds what was measured, and adds the goal that every benchmark has: memory. */
export function finishResult({ rss, goal, met = true, ...measured }: Measured): BenchmarkResult {
  const rssMb = Math.max(...Object.values(rss))
  const rssDetails = Object.entries(rss).map(([name, value]) => [`rss ${name} MB`, value])
  return {
    ...measured,
    ours: rounded(measured.ours),
    peers: roundedAll(measured.peers),
    ceiling: { name: measured.ceiling.name, value: rounded(measured.ceiling.value) },
    ratios: roundedAll(measured.ratios),
    rssMb: rounded(rssMb),
    goal: [goal, `each process under ${RSS_GOAL_MB} MB`].filter((part) => part !== undefined).join(', '),
    met: met && rssMb < RSS_GOAL_MB,
    details: roundedAll({
      ...measured.details,
      ...Object.fromEntries(rssDetails),
      'load average': loadavg()[0] ?? 0,
    }),
  }
}
