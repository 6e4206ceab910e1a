import { padded, printable, statusStyle, styled, textWidth } from './text.ts'

type Cell = string | number | boolean | null | undefined
export type Row = Readonly<Record<string, Cell>>

const GAP = '  '
const STATUS_COLUMNS = new Set(['STATUS', 'STATE'])

/** Aligned columns under a line of headings; nothing but the headings where there are no rows. */
export function formatTable(
  stream: NodeJS.WriteStream,
  columns: readonly string[],
  rows: readonly Row[],
): string {
  const texts = rows.map((row) => columns.map((column) => cellText(row[column])))
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...texts.map((row) => textWidth(row[index] ?? ''))),
  )
  // The last column is not padded: lines would wrap for nothing.
  const line = (cells: readonly string[], style: (text: string, column: string) => string) =>
    cells
      .map((cell, index) => padded(cell, index < columns.length - 1 ? (widths[index] ?? 0) : 0))
      .map((cell, index) => style(cell, columns[index] ?? ''))
      .join(GAP)
  const heading = line(columns, (text) => styled(stream, 'bold', text))
  const body = texts.map((row) =>
    line(row, (text, column) =>
      STATUS_COLUMNS.has(column) ? styled(stream, statusStyle(text.trim()), text) : text,
    ),
  )
  return [heading, ...body].join('\n')
}

/** One `name  value` line for each field; fields without a value are left out. */
export function formatFields(stream: NodeJS.WriteStream, fields: Row): string {
  const shown = Object.entries(fields).filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  )
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown
    .map(([name, value]) => `${styled(stream, 'bold', padded(name, width))}${GAP}${cellText(value)}`)
    .join('\n')
}

function cellText(value: Cell): string {
  if (value === null || value === undefined || value === '') return '-'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return printable(String(value))
}

interface Common {
  readonly id: string
  readonly name: string | null
  readonly description: string | null
  readonly status: string
  readonly metadata: Readonly<Record<string, string>>
  readonly createdAt: string
  readonly updatedAt: string | null
  readonly holderOperationId?: string
}

/** What every kind of resource has. */
export function commonFields(resource: Common): Row {
  const { id, name, description, status, metadata, createdAt, updatedAt, holderOperationId } = resource
  return {
    id,
    name,
    description,
    status,
    'held by operation': holderOperationId,
    metadata: Object.entries(metadata)
      .map(([key, value]) => `${key}=${value}`)
      .join(', '),
    created: createdAt,
    updated: updatedAt,
  }
}
