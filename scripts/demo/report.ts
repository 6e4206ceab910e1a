import { styleText } from 'node:util'
import { formatBytes } from '../../domain/sizes.ts'

export interface Step {
  readonly name: string
  /** The way the bytes went, as the operation says. */
  readonly path: string
  readonly bytesMoved: number
  readonly seconds: number
  /** Of the whole content that the step made; null where it makes none. */
  readonly sha256: string | null
  /** Was it what it had to be? null: nothing to compare. */
  readonly identical: boolean | null
}

export interface DemoResult {
  readonly identical: boolean
  /** null: nothing here that could be booted. */
  readonly booted: boolean | null
  readonly steps: readonly Step[]
  /** null: the step was over before it could be caught in the middle. `bytesRedone` null: nothing could count them. */
  readonly killed: { readonly at: number; readonly bytesRedone: number | null } | null
}

const HASH_DIGITS = 12

/** The table at the end. */
export function formatTable(steps: readonly Step[], stream: NodeJS.WriteStream): string {
  const rows = [
    ['STEP', 'PATH', 'BYTES MOVED', 'SECONDS', 'SHA-256'],
    ...steps.map((step) => [
      step.name,
      step.path,
      step.bytesMoved === 0 ? '0' : formatBytes(step.bytesMoved),
      step.seconds.toFixed(1),
      describeHash(step),
    ]),
  ]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row, index) => {
      const line = row
        .map((cell, column) => align(cell, widths[column] ?? 0, column))
        .join('  ')
        .trimEnd()
      return index === 0 ? styleText('bold', line, { stream }) : line
    })
    .join('\n')
}

export function describeHash({ sha256, identical }: Pick<Step, 'sha256' | 'identical'>): string {
  if (sha256 === null) return '-'
  const verdict = identical === null ? '' : identical ? ' identical' : ' DIFFERENT'
  return `${sha256.slice(0, HASH_DIGITS)}…${verdict}`
}

/** Numbers to the right. */
function align(cell: string, width: number, column: number): string {
  return column === 2 || column === 3 ? cell.padStart(width) : cell.padEnd(width)
}

/** The line that `--json` ends with. */
export function formatJson({ identical, booted, steps, killed }: DemoResult): string {
  const shown = steps.map(({ name, path, bytesMoved, seconds, sha256 }) => ({
    name,
    path,
    bytesMoved,
    seconds: Number(seconds.toFixed(3)),
    sha256,
  }))
  return JSON.stringify({ identical, booted, steps: shown, killed })
}
