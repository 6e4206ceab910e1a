import { formatFields, formatTable, type Row } from './table.ts'
import type { Session } from './session.ts'

/** Results go to standard output: with `--json` the document, otherwise what a person reads. */
export function printResult(session: Session, document: unknown, text: () => string): void {
  process.stdout.write(`${session.json ? JSON.stringify(document) : text()}\n`)
}

export function printTable(
  session: Session,
  page: { items: unknown; next: string | number | null },
  columns: readonly string[],
  rows: readonly Row[],
  nextOption: '--marker' | '--after' | '--before' = '--marker',
): void {
  printResult(session, page, () => formatTable(process.stdout, columns, rows))
  if (page.next === null || session.json) return
  process.stderr.write(
    `There are more: ${nextOption} ${page.next} shows the next page, --limit makes pages larger.\n`,
  )
}

export function printFields(session: Session, document: unknown, fields: Row): void {
  printResult(session, document, () => formatFields(process.stdout, fields))
}

/** What is said besides the result: to standard error, so that results can be piped. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
