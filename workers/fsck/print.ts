import { formatTable } from '../../cli/table.ts'
import { printable } from '../../cli/text.ts'
import { type Finding, SEVERITIES } from './finding.ts'
import type { FsckResult } from './fsck.ts'

/** A table and what to do about each line, or a JSON line for each finding and one with the sums. */
export function printFsck(result: FsckResult, json: boolean): void {
  process.stdout.write(`${(json ? jsonLines(result) : text(result)).join('\n')}\n`)
}

function jsonLines({ findings, repaired, failures, truncated }: FsckResult): string[] {
  const line = (finding: Finding, isRepaired: boolean) => {
    const { mend, ...rest } = finding
    const failure = failures.get(finding)
    return JSON.stringify({
      ...rest,
      severity: SEVERITIES[finding.code],
      mendedBy: mend === undefined ? null : `--${mend.needs}`,
      repaired: isRepaired,
      ...(failure === undefined ? {} : { failure }),
    })
  }
  return [
    ...repaired.map((finding) => line(finding, true)),
    ...findings.map((finding) => line(finding, false)),
    JSON.stringify({ summary: { findings: findings.length, repaired: repaired.length, truncated } }),
  ]
}

function text({ findings, repaired, failures, truncated }: FsckResult): string[] {
  const lines: string[] = []
  if (repaired.length > 0) lines.push('Repaired:', table(repaired), '')
  if (findings.length === 0) return [...lines, repaired.length > 0 ? 'Nothing is left.' : 'Clean.']
  lines.push(table(findings), '')
  for (const finding of findings) lines.push(...advice(finding, failures.get(finding)))
  if (truncated) lines.push('There is more: only the first findings are shown.', '')
  const mendable = findings.filter(({ mend }) => mend?.needs === 'repair').length
  if (mendable > 0) lines.push(`${mendable} of ${findings.length} can be mended with --repair.`)
  return lines
}

function table(findings: readonly Finding[]): string {
  const rows = findings.map(({ code, where, what }) => ({
    SEVERITY: SEVERITIES[code],
    CODE: code,
    WHERE: where,
    WHAT: what,
  }))
  return formatTable(process.stdout, ['SEVERITY', 'CODE', 'WHERE', 'WHAT'], rows)
}

function advice({ what, explanation, next, mend }: Finding, failure: string | undefined): string[] {
  const how = mend === undefined ? next : `--${mend.needs}: ${next}`
  const failed = failure === undefined ? [] : [`  The repair failed: ${failure}`]
  return [`${what}: ${explanation}`, `  ${how}`, ...failed, ''].map(printable)
}
