/** The matrix as docs/operations.md shows it. `node test/end-to-end/endings/table.ts` writes it there. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { OperationOutcome } from '../../../domain/operations.ts'
import { ENDINGS } from './all-endings.ts'
import type { Cell, Ending } from './ending.ts'
import { REQUESTED_KINDS } from './operations.ts'

const PAGE = fileURLToPath(new URL('../../../docs/operations.md', import.meta.url))
const [BEGIN, END] = ['<!-- matrix: from test/end-to-end/endings/table.ts -->', '<!-- end of the matrix -->']
const LETTERS: Record<OperationOutcome, string> = { succeeded: 'S', failed: 'F', cancelled: 'C' }

/** The page as it is, and as it is to be. */
export function operationsPage(): { readonly now: string; readonly wanted: string } {
  const now = readFileSync(PAGE, 'utf8')
  const [before, rest = ''] = now.split(BEGIN)
  const [, after] = rest.split(END)
  if (after === undefined)
    throw new Error(`Expected ${PAGE} to have a place for the matrix: ${BEGIN} … ${END}`)
  return { now, wanted: `${before}${BEGIN}\n\n${matrix()}\n\n${END}${after}` }
}

function matrix(): string {
  return [table(), ENDINGS.map(line).join('\n')].join('\n\n')
}

/** With the columns as the formatter aligns them. */
function table(): string {
  const numbers = ENDINGS.map((_, index) => String(index + 1))
  const rows = REQUESTED_KINDS.map((kind) => [kind, ...ENDINGS.map(({ cell }) => letter(cell(kind)))])
  const all = [['operation', ...numbers], ...rows]
  const widths = ['', ...numbers].map((_, column) =>
    Math.max(3, ...all.map((row) => row[column]?.length ?? 0)),
  )
  const format = (row: readonly string[]) =>
    `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [header = '', ...lines] = all.map(format)
  return [header, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines].join('\n')
}

function letter(cell: Cell): string {
  return 'none' in cell ? '–' : LETTERS[cell.ends]
}

function line({ about, cell }: Ending, index: number): string {
  const cells = REQUESTED_KINDS.map(cell)
  const codes = cells.flatMap((one) => ('none' in one || one.code === undefined ? [] : [`\`${one.code}\``]))
  const reasons = cells.flatMap((one) => ('none' in one ? [`–: ${one.none}`] : []))
  const more = [...new Set([...codes, ...reasons])]
  return `${index + 1}. ${about}${more.length === 0 ? '' : ` (${more.join('; ')})`}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, operationsPage().wanted)
