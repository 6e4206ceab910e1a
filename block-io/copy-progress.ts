import type { Segment } from './segments.ts'

export type ReportProgress = (progress: { doneBytes: number; movedBytes: number }) => void

/** Adds up what the segments under way report, so that neither figure ever goes back. */
export class CopyProgress {
  readonly #report: ReportProgress
  readonly #active: { readonly segment: Segment; part: number }[] = []
  #movedBytes = 0

  constructor(report: ReportProgress) {
    this.#report = report
  }

  /** For the next segment, in order: the answer is called with 0 to 1. */
  start(segment: Segment): (part: number) => void {
    const entry = { segment, part: 0 }
    this.#active.push(entry)
    return (part) => {
      entry.part = Math.max(entry.part, part)
      this.#publish()
    }
  }

  /** Everything is done: the bytes that were moved. */
  finish(lengthBytes: number): number {
    for (const { segment } of this.#active) this.#movedBytes += segment.dataBytes
    this.#report({ doneBytes: lengthBytes, movedBytes: this.#movedBytes })
    return this.#movedBytes
  }

  #publish(): void {
    while (this.#active.length > 1 && this.#active[0]?.part === 1) {
      this.#movedBytes += this.#active.shift()?.segment.dataBytes ?? 0
    }
    const first = this.#active[0]
    if (first === undefined) return
    const { offset, end } = first.segment
    const moved = this.#active.reduce(
      (sum, { segment, part }) => sum + part * segment.dataBytes,
      this.#movedBytes,
    )
    this.#report({
      doneBytes: Math.floor(offset + first.part * (end - offset)),
      movedBytes: Math.floor(moved),
    })
  }
}
