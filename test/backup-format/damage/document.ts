/** The tables of docs/backup-damage.md. `node test/backup-format/damage/write-document.ts` writes them; a test compares. */
import { join } from 'node:path'
import type { Damage } from './damages.ts'
import { type Cell, MATRIX } from './matrix.ts'
import { KINDS } from './victims.ts'

export const DOCUMENT = join(import.meta.dirname, '../../../docs/backup-damage.md')

const TITLES: Record<Damage, string> = {
  flip: 'a flipped bit',
  truncate: 'truncated',
  delete: 'deleted',
  swap: 'swapped with another',
  duplicate: 'copied to another name',
  replay: 'an older one put back',
  append: 'bytes appended',
}
const DAMAGES = Object.keys(TITLES) as Damage[]

export function tables(): string {
  const notes: string[] = []
  const rows = KINDS.map((kind) => [
    kind,
    ...DAMAGES.map((damage) => text(MATRIX[kind].cells[damage], notes)),
  ])
  return [
    table(['', ...DAMAGES.map((damage) => TITLES[damage])], rows),
    '',
    ...notes.map((note, index) => `${index + 1}. ${note}`),
    '',
    table(
      ['damaged', 'what to do'],
      KINDS.map((kind) => [kind, MATRIX[kind].repair]),
    ),
    '',
  ].join('\n')
}

/** Whoever formats the page aligns its tables. */
export function normalised(markdown: string): string {
  return markdown.replaceAll(/-{3,}/g, '---').replaceAll(/\s+/g, ' ')
}

function text(cell: Cell, notes: string[]): string {
  if ('found' in cell) return cell.found.join(', ')
  const [word, reason] = 'harmless' in cell ? ['harmless', cell.harmless] : ['–', cell.impossible]
  if (!notes.includes(reason)) notes.push(reason)
  return `${word} (${notes.indexOf(reason) + 1})`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
