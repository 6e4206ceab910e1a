import { formatTable } from '../../cli/table.ts'
import { printable } from '../../cli/text.ts'
import type { CheckResult } from './check.ts'

/** A table and what to do about each line that is not ok. */
export function printDoctor(results: readonly CheckResult[]): void {
  const rows = results.map(({ where, check, state, value }) => ({
    WHERE: where,
    CHECK: check,
    STATE: state,
    VALUE: value,
  }))
  const lines = [formatTable(process.stdout, ['WHERE', 'CHECK', 'STATE', 'VALUE'], rows)]
  for (const { where, check, state, next } of results) {
    if (state !== 'ok') lines.push('', printable(`${where}, ${check}: ${next}`))
  }
  process.stdout.write(`${lines.join('\n')}\n`)
}
