import type { BenchmarkResult } from './benchmark.ts'
import type { Row } from './contest.ts'

/** For people: Markdown. */
export function describe(result: BenchmarkResult): string {
  const { name, unit, ours, peers, ceiling, ratios, rssMb, details, table, absent = [] } = result
  const lines: [string, number | string][] = [
    ['ours', `${ours} ${unit}`],
    ...Object.entries(peers).map(([peer, value]): [string, string] => [peer, `${value} ${unit}`]),
    [`ceiling: ${ceiling.name}`, `${ceiling.value} ${unit}`],
    ...Object.entries(ratios).map(([peer, value]): [string, number] => [`times as fast as ${peer}`, value]),
    ['memory of the largest process', `${rssMb} MB`],
    ...Object.entries(details),
  ]
  return [
    `## ${name}`,
    '',
    ...(table === undefined ? [] : [...markdownTable(table), '']),
    ...lines.map(([label, value]) => `- ${label}: ${value}`),
    ...absent.map((peer) => `- left out, not on this machine: ${peer}`),
    '',
    `Goal: ${result.goal}.`,
    result.met ? 'Met.' : `NOT met: ${result.missed.join('; ')}.`,
  ].join('\n')
}

function markdownTable(table: Readonly<Record<string, Row>>): string[] {
  const columns = [...new Set(Object.values(table).flatMap((row) => Object.keys(row)))]
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [
    line(['', ...columns]),
    line(['---', ...columns.map(() => '---:')]),
    ...Object.entries(table).map(([name, row]) =>
      line([name, ...columns.map((column) => row[column] ?? '')]),
    ),
  ]
}
