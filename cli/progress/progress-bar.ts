import { printable, styled, textWidth } from '../text.ts'
import type { Facts, ProgressState, ProgressView } from './view.ts'

const BAR_WIDTH_MAX = 30
const BAR_WIDTH_MIN = 8
const REDRAW_MS = 100
/** Of terminals that do not say. */
const COLUMNS_DEFAULT = 80

const CLEAR_LINE_AND_BELOW = '\r\u001b[J'

/** One line, drawn anew. What does not fit is left out, the least important first; after a resize it fits again. */
export class ProgressBar implements ProgressView {
  readonly #stream: NodeJS.WriteStream
  readonly #redraw = () => this.#draw()
  readonly #timer: NodeJS.Timeout
  #line: ((columns: number) => string) | undefined
  #drawnWidth = 0
  #drawnMs = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    stream.on('resize', this.#redraw)
    this.#timer = setInterval(() => this.#drawIfDue(), REDRAW_MS).unref()
  }

  show(state: ProgressState, facts: () => Facts): void {
    const isFirst = this.#line === undefined
    this.#line = (columns) => layOut(state, facts(), columns)
    if (isFirst) this.#draw()
  }

  end(): void {
    clearInterval(this.#timer)
    this.#stream.off('resize', this.#redraw)
    this.#stream.write(this.#clear())
  }

  #drawIfDue(): void {
    if (performance.now() - this.#drawnMs >= REDRAW_MS) this.#draw()
  }

  #draw(): void {
    if (this.#line === undefined) return
    const text = this.#line(this.#columns - 1)
    this.#stream.write(this.#clear() + styled(this.#stream, 'cyan', text))
    this.#drawnWidth = textWidth(text)
    this.#drawnMs = performance.now()
  }

  /** A terminal made narrower has broken the old line into several. */
  #clear(): string {
    const rowsAbove = Math.max(0, Math.ceil(this.#drawnWidth / this.#columns) - 1)
    return (rowsAbove > 0 ? `\u001b[${rowsAbove}A` : '') + CLEAR_LINE_AND_BELOW
  }

  get #columns(): number {
    // 0 columns: a pseudo terminal that nobody has sized.
    return this.#stream.columns || COLUMNS_DEFAULT
  }
}

/** The fullest line that fits. */
export function layOut(state: ProgressState, facts: Facts, columns: number): string {
  const phase = printable(state.phase)
  const { percent, bytes, rate, left } = facts
  const note = state.note === undefined ? undefined : printable(state.note)
  const numbers = [bytes, rate, left]
  const percentText = percent === undefined ? facts.elapsed : `${String(percent).padStart(3)} %`
  const choices = [
    [state.kind, phase, bar(percent, BAR_WIDTH_MAX), percentText, ...numbers, note],
    [phase, bar(percent, BAR_WIDTH_MAX), percentText, ...numbers, note],
    [phase, bar(percent, BAR_WIDTH_MIN), percentText, ...numbers, note],
    [phase, percentText, ...numbers, note],
    [phase, percentText, ...numbers],
    [phase, percentText, rate, left],
    [phase, percentText, left],
    [phase, percentText],
  ].map((parts) => parts.filter((part) => part !== undefined).join('  '))
  return choices.find((line) => textWidth(line) <= columns) ?? percentText.slice(0, Math.max(0, columns))
}

function bar(percent: number | undefined, width: number): string | undefined {
  if (percent === undefined) return undefined
  const filled = Math.round((percent / 100) * width)
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}]`
}
