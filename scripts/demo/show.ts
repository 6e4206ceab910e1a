import { styleText } from 'node:util'
import { Progress } from '../../cli/progress/progress.ts'
import type { ProgressState } from '../../cli/progress/view.ts'
import { formatBytes } from '../../domain/sizes.ts'
import { describeHash, type Step } from './report.ts'

/** What the demo shows while it runs: a bar that moves on a terminal, plain lines elsewhere. */
export class Show {
  readonly stream: NodeJS.WriteStream
  #progress: Progress | undefined

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream
  }

  line(text: string): void {
    this.endProgress()
    this.stream.write(`${text}\n`)
  }

  heading(text: string): void {
    this.line(styleText('bold', text, { stream: this.stream }))
  }

  progress(state: ProgressState): void {
    this.#progress ??= new Progress(this.stream)
    this.#progress.update(state)
  }

  /** Leaves the line free for something else. */
  endProgress(): void {
    this.#progress?.end()
    this.#progress = undefined
  }

  step(step: Step): void {
    const ok = step.identical !== false
    const mark = styleText(ok ? 'green' : 'red', ok ? '✓' : '✗', { stream: this.stream })
    const facts = [`${step.seconds.toFixed(1)} s`, step.path, `${formatBytes(step.bytesMoved)} moved`]
    if (step.sha256 !== null) facts.push(`sha256 ${describeHash(step)}`)
    this.line(`${mark} ${step.name.padEnd(NAME_WIDTH)} ${facts.join(', ')}`)
  }
}

const NAME_WIDTH = 22
