import { printable } from '../text.ts'
import type { Facts, ProgressState, ProgressView } from './view.ts'

const INTERVAL_MS = 5_000

/** Where the output is a file or a pipe: one line for each phase, and one every few seconds within it. */
export class ProgressLines implements ProgressView {
  readonly #stream: NodeJS.WriteStream
  #phase = ''
  #shownMs = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  show(state: ProgressState, facts: () => Facts): void {
    const nowMs = performance.now()
    const phase = `${state.phase} ${state.note ?? ''}`
    if (phase === this.#phase && nowMs - this.#shownMs < INTERVAL_MS) return
    this.#phase = phase
    this.#shownMs = nowMs
    const { percent, bytes, rate, left, elapsed } = facts()
    const parts = [
      elapsed,
      state.kind,
      state.phase,
      percent === undefined ? undefined : `${percent} %`,
      bytes,
      rate,
      left,
      state.note,
    ]
    this.#stream.write(`${printable(parts.filter((part) => part !== undefined).join('  '))}\n`)
  }

  end(): void {}
}
